#[lock::lock("")]
fn empty() {}

#[lock::lock("line\nbreak")]
fn control() {}

#[lock::lock("key", ttl = "99ms")]
fn short_ttl() {}

#[lock::lock("key", ttl = "11 years")]
fn long_ttl() {}

#[lock::lock("key", retry = "2h")]
fn long_retry() {}

fn main() {}
