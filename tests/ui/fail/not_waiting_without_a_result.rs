#[lock::lock("key", blocking = false)]
fn number() -> u8 {
    1
}

#[lock::lock("key", blocking = false)]
fn nothing() {}

#[lock::lock("key", blocking = false)]
async fn later() -> Option<u8> {
    None
}

fn main() {
    number();
    nothing();
    drop(later());
}
