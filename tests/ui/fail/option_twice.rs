#[lock::lock("key", ttl = "1s", ttl = "2s")]
fn f() {}

fn main() {
    f();
}
