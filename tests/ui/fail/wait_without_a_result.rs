#[lock::lock("key", wait = "1s")]
fn number() -> u8 {
    1
}

#[lock::lock("key", wait = "1s")]
fn opaque() -> impl Iterator<Item = u8> {
    [1].into_iter()
}

fn main() {
    number();
    opaque().count();
}
