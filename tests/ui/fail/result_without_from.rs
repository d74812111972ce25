#[lock::lock("key")]
fn waits() -> Result<(), String> {
    Ok(())
}

#[lock::lock("key", blocking = false)]
fn does_not() -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = (waits(), does_not());
}
