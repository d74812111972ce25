use std::future::ready;

use lock::prelude::*;

#[derive(lock::Model)]
struct Order {
    id: u8,
}

fn job() -> Option<std::future::Ready<()>> {
    Some(ready(()))
}

async fn spelled() -> Result<(), lock::Error> {
    lock!("key", { async {} })?.await;
    lock!("key", |_guard| async move {})?.await;
    lock!("key", |_guard| { async move {} })?.await;
    lock!("key", < async {} >)?.await;
    lock_model!(Order { id: 1 }, |_guard| async move {})?.await;
    Ok(())
}

async fn by_type() -> Result<(), lock::Error> {
    lock!("key", { ready(()) })?.await;
    lock!("key", |_guard| spelled())?.await?;
    lock!("key", { job() })?.unwrap().await;
    lock!("key", async { ready(()) }).await?.await;
    lock_model!(Order { id: 1 }, { ready(()) })?.await;
    Ok(())
}

fn main() {
    drop(by_type());
}
