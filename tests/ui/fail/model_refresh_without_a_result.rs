#[derive(lock::Model)]
struct Order {
    id: u64,
}

impl lock::Refresh for Order {
    type Error = std::io::Error;

    fn refresh(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Order {
    #[lock::lock_model(refresh)]
    fn plain(&mut self) {}

    #[lock::lock_model(refresh)]
    fn another_error(&mut self) -> Result<(), lock::Error> {
        Ok(())
    }
}

fn main() {
    Order { id: 1 }.plain();
}
