#[lock::lock("key", on_lost = "cancel")]
fn f() -> Result<(), lock::Error> {
    Ok(())
}

fn main() {
    let _ = f();
}
