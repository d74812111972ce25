#[derive(lock::Model)]
struct NoKey {
    number: u64,
}

#[derive(lock::Model)]
#[model(pk = missing)]
struct WrongKey {
    number: u64,
}

#[derive(lock::Model)]
#[model(table = "orders")]
struct UnknownOption {
    id: u64,
}

#[derive(lock::Model)]
enum NotAStruct {
    A,
}

#[derive(lock::Model)]
struct NoText {
    id: Vec<u8>,
}

fn main() {}
