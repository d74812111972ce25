#[lock::lock("key", blocking = maybe)]
fn f() {}

#[lock::lock("key", renew = 1)]
fn g() {}

#[lock::lock("key", guard = 1)]
fn h() {}

#[lock::lock("key", on_lost = "panic")]
async fn i() {}

fn main() {
    f();
    g();
    h();
    drop(i());
}
