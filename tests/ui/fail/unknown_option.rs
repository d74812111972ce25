#[lock::lock("key", timeout = "1s")]
fn f() {}

#[lock::lock_model(pk = id)]
fn g() {}

fn main() {
    f();
    g();
}
