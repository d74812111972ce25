const KEY: &str = "key";

#[lock::lock(KEY)]
fn not_a_literal() {}

#[lock::lock("key", key = KEY)]
fn twice() {}

fn main() {
    not_a_literal();
    twice();
}
