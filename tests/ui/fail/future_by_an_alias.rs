use std::pin::Pin;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

#[lock::lock("key")]
fn alias() -> Boxed<u8> {
    Box::pin(async { 1 })
}

#[lock::lock("key")]
fn named() -> std::future::Ready<u8> {
    std::future::ready(1)
}

fn main() {
    drop(alias());
    drop(named());
}
