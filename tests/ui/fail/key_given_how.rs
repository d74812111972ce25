const KEY: &str = "key";

#[lock::lock(KEY)]
fn not_a_literal() {}

#[lock::lock("key", key = KEY)]
fn twice() {}

#[lock::lock(key = 7)]
fn not_a_key() {}

fn main() {
    not_a_literal();
    twice();
    not_a_key();
}
