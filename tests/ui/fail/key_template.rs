#[lock::lock("{a}{b}")]
fn touching(a: u8, b: u8) {
    let _ = a + b;
}

#[lock::lock("{a")]
fn open(a: u8) {
    let _ = a;
}

#[lock::lock("a}")]
fn closed(a: u8) {
    let _ = a;
}

#[lock::lock("{a b}")]
fn not_an_expression(a: u8) {
    let _ = a;
}

#[lock::lock("{}:{}", a)]
fn too_few(a: u8) {
    let _ = a;
}

#[lock::lock("{a}", a)]
fn too_many(a: u8) {
    let _ = a;
}

#[lock::lock("{:1$}", a, 5)]
fn width_by_position(a: u8) {
    let _ = a;
}

fn main() {
    touching(1, 2);
    open(1);
    closed(1);
    not_an_expression(1);
    too_few(1);
    too_many(1);
    width_by_position(1);
}
