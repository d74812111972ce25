#[lock::lock("key")]
struct S;

trait T {
    #[lock::lock("key")]
    fn without_a_body(&self);
}

fn main() {
    let _ = S;
}
