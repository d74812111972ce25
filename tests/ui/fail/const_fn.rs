#[lock::lock("key")]
const fn answer() -> u8 {
    42
}

fn main() {
    answer();
}
