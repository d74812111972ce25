#[lock::lock("{user}:{a}")]
fn f(a: u8) {}

fn main() {
    f(1);
}
