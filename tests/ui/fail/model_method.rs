#[derive(lock::Model)]
struct Order {
    id: u64,
}

impl Order {
    #[lock::lock_model]
    fn without_self() {}

    #[lock::lock_model(refresh)]
    fn shared(&self) -> Result<(), lock::Error> {
        Ok(())
    }

    #[lock::lock_model(refresh)]
    fn not_reloadable(&mut self) -> Result<(), lock::Error> {
        Ok(())
    }

    #[lock::lock_model(field = "a", "b")]
    fn twice(&self) {}

    #[lock::lock_model(field = id)]
    fn not_a_name(&self) {}
}

struct Other;

impl Other {
    #[lock::lock_model]
    fn not_a_model(&self) {}
}

fn main() {
    Order { id: 1 }.shared().ok();
    Other.not_a_model();
}
