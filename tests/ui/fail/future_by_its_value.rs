use std::future::{Future as Fut, ready};

trait Task: Fut<Output = ()> {}

impl<T: Fut<Output = ()>> Task for T {}

#[lock::lock("key")]
fn renamed() -> impl Fut<Output = ()> {
    async {}
}

#[lock::lock("key")]
fn subtrait() -> impl Task {
    return async {};
}

#[lock::lock("key")]
fn inside(fail: bool) -> Result<impl Task, lock::Error> {
    if fail {
        return Ok(ready(()));
    }
    Ok(ready(()))
}

#[lock::lock("key")]
async fn asynchronous() -> impl Task {
    ready(())
}

fn main() {}
