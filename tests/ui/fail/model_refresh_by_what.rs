#[derive(lock::Model)]
struct Order {
    id: u64,
}

impl Order {
    fn load(id: u64) -> std::io::Result<Self> {
        Ok(Self { id })
    }

    fn reload(&mut self) -> std::io::Result<()> {
        *self = Self::load(self.id)?;
        Ok(())
    }

    // A row that nobody would get.
    #[lock::lock_model(refresh = Self::load(self.id))]
    fn loaded_in_vain(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    // Nothing to await.
    #[lock::lock_model(refresh = self.reload())]
    async fn not_a_future(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    #[lock::lock_model(refresh = self.reload())]
    fn without_a_result(&mut self) {}
}

fn main() {
    drop(Order { id: 1 }.loaded_in_vain());
}
