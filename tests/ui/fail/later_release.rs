#[lock::lock("key", shared)]
fn shared() {}

#[lock::lock("key", permits = 3)]
fn permits() {}

#[lock::lock("key", reentrant)]
fn reentrant() {}

#[lock::lock("key", fair)]
fn fair() {}

#[lock::lock(keys = ["a", "b"])]
fn keys() {}

fn main() {
    shared();
    permits();
    reentrant();
    fair();
    keys();
}
