#[lock::lock("key", using = 7)]
fn f() {}

fn main() {
    f();
}
