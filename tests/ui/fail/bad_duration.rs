#[lock::lock("key", ttl = "soon")]
fn no_number() {}

#[lock::lock("key", ttl = "5")]
fn no_unit() {}

#[lock::lock("key", wait = -1, otherwise = |_| ())]
fn negative() {}

#[lock::lock("key", ttl = 0)]
fn zero() {}

#[lock::lock("key", retry = true)]
fn no_duration() {}

fn main() {
    no_number();
    no_unit();
    negative();
    zero();
    no_duration();
}
