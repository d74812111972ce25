#[lock::lock("key", wait = "1s", blocking = false)]
fn f() -> Result<(), lock::Error> {
    Ok(())
}

fn main() {
    let _ = f();
}
