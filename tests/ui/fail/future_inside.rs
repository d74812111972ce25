use std::pin::Pin;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

#[lock::lock("key")]
fn result() -> Result<BoxFuture<()>, lock::Error> {
    Ok(Box::pin(async {}))
}

#[lock::lock("key")]
fn option() -> Option<std::future::Ready<()>> {
    Some(std::future::ready(()))
}

#[lock::lock("key")]
async fn asynchronous() -> BoxFuture<()> {
    Box::pin(async {})
}

#[lock::lock("key")]
async fn asynchronous_result() -> Result<BoxFuture<()>, lock::Error> {
    Ok(Box::pin(async {}))
}

fn main() {}
