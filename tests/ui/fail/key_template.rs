#[lock::lock("{a}{b}")]
fn touching(a: u8, b: u8) {}

#[lock::lock("{a")]
fn open(a: u8) {}

#[lock::lock("a}")]
fn closed(a: u8) {}

#[lock::lock("{a b}")]
fn not_an_expression(a: u8) {}

#[lock::lock("{}:{}", a)]
fn too_few(a: u8) {}

#[lock::lock("{a}", a)]
fn too_many(a: u8) {}

#[lock::lock("{:1$}", a, 5)]
fn width_by_position(a: u8) {}

#[lock::lock("{c}")]
fn unknown(a: u8) {}

fn main() {
    touching(1, 2);
    open(1);
    closed(1);
    not_an_expression(1);
    too_few(1);
    too_many(1);
    width_by_position(1);
    unknown(1);
}
