use std::pin::Pin;

async fn work() {}

#[lock::lock("key")]
fn boxed() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(work())
}

#[lock::lock("key")]
fn opaque() -> impl Future<Output = ()> {
    work()
}

#[lock::lock("key")]
fn inside_another_type() -> Option<Box<dyn Future<Output = ()>>> {
    Some(Box::new(work()))
}

#[lock::lock("key")]
fn early(stop: bool) -> Pin<Box<dyn Future<Output = ()>>> {
    if stop {
        return Box::pin(work());
    }
    Box::pin(async { work().await })
}

fn main() {
    drop(boxed());
    drop(opaque());
    drop(inside_another_type());
    drop(early(true));
}
