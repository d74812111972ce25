//! The public surface, as it is promised.
#![deny(warnings)]

use lock::prelude::*;
use lock::{lock, lock_model};

#[derive(Debug)]
struct AppError;

impl From<lock::Error> for AppError {
    fn from(_: lock::Error) -> Self {
        Self
    }
}

#[lock("global")]
fn foo() {}

#[lock("order:{order_id}", wait = "5s", ttl = "30s")]
async fn ship(order_id: u64) -> Result<(), AppError> {
    Ok(())
}

#[derive(Model)]
#[model(name = "shop:order", pk = id)]
struct Order {
    id: u64,
    bar: String,
    first_name: String,
    last_name: String,
}

impl Order {
    #[lock_model]
    fn lock_pk(&self) {}

    #[lock_model(field = "bar", blocking = false)]
    fn lock_bar(&self) -> Result<(), lock::Error> {
        Ok(())
    }

    #[lock_model("first_name", "last_name")]
    fn rename(&self) {}

    #[lock_model(name = "foo:another_lock", refresh)]
    async fn settle(&mut self) -> Result<(), AppError> {
        Ok(())
    }
}

impl RefreshAsync for Order {
    type Error = AppError;

    async fn refresh(&mut self) -> Result<(), AppError> {
        Ok(())
    }
}

async fn blocks(order: &Order) -> Result<u8, lock::Error> {
    let id = order.id;
    lock!("user:{id}", wait = "1s", { foo() })?;
    lock!("key", |guard| { guard.check() })??;
    lock!("key", < 1 + 1 >)?;
    lock_model!(order, { order.lock_bar() })??;
    lock_model!(order, field = "bar", blocking = false, { 1 })?;
    lock!("key", async { 1 }).await
}

fn main() -> Result<(), lock::Error> {
    lock::install(lock::Config::new().url("memory://"))?;
    let total = lock!("key", { 40 + 2 })?;
    let guard = lock("global").acquire()?;
    println!("{total} under token {}", guard.fencing_token());
    guard.release()?;
    foo();
    let mut order = Order { id: 7, bar: "abc".into(), first_name: "a".into(), last_name: "b".into() };
    order.lock_pk();
    order.lock_bar()?;
    order.rename();
    drop(blocks(&order));
    drop(order.settle());
    drop(ship(1));
    let guard = lock_model(&order).field("bar").acquire()?;
    assert!(guard.is_held() && lock::lock_model(&order).field("bar").is_locked()?);
    Ok(())
}
