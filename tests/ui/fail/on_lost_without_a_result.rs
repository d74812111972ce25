#[lock::lock("key", on_lost = "cancel")]
async fn number() -> u8 {
    1
}

#[lock::lock("key", on_lost = "cancel")]
async fn opaque() -> impl Iterator<Item = u8> {
    [1].into_iter()
}

fn main() {
    drop(number());
    drop(opaque());
}
