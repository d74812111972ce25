//! `main` itself, which may not track its caller.

#[lock::lock("main", using = lock::Locker::open("memory://"))]
fn main() {
    let _ = 1 + 1;
}
