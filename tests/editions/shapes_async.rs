//! Every shape of a function whose body is a future.

use std::cell::Cell;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use lock::prelude::*;
use lock::{lock, lock_model};

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[lock]
async fn own_path() {}

#[lock("user:{user_id}")]
async fn captured(user_id: u64) -> u64 {
    std::future::ready(user_id).await
}

#[lock("{}:{}", name, pair.1, wait = "1s", ttl = "30s", renew = false, retry = "50ms", guard = lease)]
async fn settings(name: String, pair: (u8, u8)) -> Result<String, lock::Error> {
    std::future::ready(()).await;
    Ok(format!("{name}{}{}", pair.0, lease.key()))
}

#[lock("early", blocking = false)]
async fn early(stop: bool) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    if stop {
        return Ok(1);
    }
    let number: u8 = "7".parse()?;
    Ok(std::future::ready(number).await)
}

#[lock("otherwise", blocking = false, otherwise = |error| error.to_string())]
async fn otherwise() -> String {
    String::new()
}

#[lock("cancel", on_lost = "cancel", otherwise = |_| 0)]
async fn cancel(number: u8) -> u8 {
    std::future::ready(number).await
}

#[lock("cancel", on_lost = "cancel")]
async fn cancel_result() -> Result<(), lock::Error> {
    Ok(())
}

#[lock("continue", on_lost = "continue")]
async fn keep_on() -> Result<(), lock::Error> {
    Ok(())
}

#[lock("generic")]
async fn generic<T: Clone + Send + Sync>(values: &[T]) -> Vec<T> {
    values.to_vec()
}

#[lock("longest")]
async fn longest<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.len() > other.len() { one } else { other }
}

#[lock("first")]
async fn first(values: &mut Vec<u8>) -> Option<&mut u8> {
    values.push(1);
    values.first_mut()
}

#[lock("opaque")]
async fn opaque(values: &[u8]) -> impl Iterator<Item = u8> + '_ {
    values.iter().copied()
}

#[lock("inside")]
async fn opaque_inside(fail: bool) -> Result<impl Display, lock::Error> {
    if fail {
        return Ok("a");
    }
    Ok("b")
}

#[lock("argument")]
async fn opaque_argument(values: impl IntoIterator<Item = u8>) -> u8 {
    values.into_iter().sum()
}

#[lock("patterns:{a}")]
async fn patterns((a, mut b): (u8, u8), [c, ..]: [u8; 3], _: u8) -> u8 {
    b += 1;
    a + b + c
}

#[lock("mutable:{count}")]
async fn mutable(mut count: u8) -> u8 {
    count += 1;
    count
}

#[lock("moved:{name}")]
async fn moved(name: String) {
    drop(name);
}

#[lock("object")]
async fn object(number: u8) -> Box<dyn Display + Send> {
    Box::new(number)
}

#[lock("never")]
async fn never() -> ! {
    std::future::pending().await
}

#[lock("endless")]
async fn endless() {
    loop {
        std::future::ready(()).await;
    }
}

#[lock("recursive:{depth}")]
async fn recursive(depth: u8) -> u8 {
    if depth == 0 { 0 } else { Box::pin(recursive(depth - 1)).await + 1 }
}

#[lock("here")]
async fn not_to_send(cell: &Cell<u8>) -> u8 {
    std::future::ready(()).await;
    cell.get()
}

#[lock("one")]
#[lock("two")]
async fn stacked() -> u8 {
    1
}

#[lock("boxed:{number}")]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Result<u8, lock::Error>> + Send>> {
    let more = number + 1;
    Box::pin(async move {
        if more == 0 {
            return Ok(0);
        }
        Ok(std::future::ready(more).await)
    })
}

#[lock("boxed:{name}", blocking = false)]
fn boxed_with_a_lifetime<'a>(
    name: &'a str,
) -> Pin<Box<dyn Future<Output = Result<&'a str, lock::Error>> + 'a>> {
    Box::pin(async move { Ok(name) })
}

#[lock("opaque future")]
fn opaque_future(number: u8) -> impl Future<Output = u8> + Send {
    async move { std::future::ready(number).await }
}

/// Something with methods.
#[derive(Debug, Model)]
pub struct Shape {
    id: u64,
    name: String,
}

impl Shape {
    #[lock]
    async fn own_path(&self) -> u64 {
        self.id
    }

    #[lock("shape:{self.id}")]
    async fn by_reference(&self) -> &str {
        &self.name
    }

    #[lock("shape:{self.id}")]
    async fn by_mutable_reference(&mut self) -> &mut String {
        self.id += 1;
        &mut self.name
    }

    #[lock("shape:{self.id}")]
    async fn by_value(self) -> String {
        self.name
    }

    #[lock("shape:{self.id}")]
    async fn counted(self: Arc<Self>) -> u64 {
        self.id
    }

    #[lock_model]
    async fn model(&self) {}

    #[lock_model(field = "name", refresh)]
    async fn refreshed(&mut self) -> Result<u64, lock::Error> {
        self.id += 1;
        Ok(self.id)
    }
}

impl RefreshAsync for Shape {
    type Error = lock::Error;

    async fn refresh(&mut self) -> Result<(), lock::Error> {
        self.id += 1;
        Ok(())
    }
}

/// An async trait of the language.
pub trait Work {
    /// Guarded for every implementor.
    #[lock]
    #[allow(async_fn_in_trait)]
    async fn work(&self) -> u8 {
        1
    }

    /// Boxed, as an object needs it.
    fn boxed(&self, by: u64) -> Boxed<'_, Result<u64, lock::Error>>;
}

impl Work for Shape {
    #[lock("work:{self.id}")]
    fn boxed(&self, by: u64) -> Pin<Box<dyn Future<Output = Result<u64, lock::Error>> + Send + '_>> {
        Box::pin(async move { Ok(self.id + by) })
    }
}

/// Blocks in an async function.
///
/// # Errors
/// Whatever the locker reports.
pub async fn blocks(id: u8) -> Result<u8, lock::Error> {
    let name = String::from("name");
    let one = lock!("block:{id}", async { std::future::ready(1_u8).await }).await?;
    let two = lock!("block:{id}", on_lost = "continue", async move { name.len() }).await?;
    let three = lock!("guard", async |guard| guard.key().len()).await?;
    let shape = Shape { id: 1, name: String::new() };
    lock_model!(shape, async { std::future::ready(()).await }).await?;
    Ok(one + u8::from(two + three > 3))
}

fn send<F: Future + Send>(future: F) -> F {
    future
}

/// Uses them all.
///
/// # Errors
/// Whatever the locker reports.
pub async fn all() -> Result<(), lock::Error> {
    send(own_path()).await;
    send(moved(String::new())).await;
    let _ = (
        send(captured(1)).await,
        send(settings(String::new(), (1, 2))).await?,
        send(early(true)).await.is_ok(),
    );
    let _ = (
        send(otherwise()).await,
        send(cancel(1)).await,
        send(generic(&[1_u8])).await,
        send(longest("", "")).await,
    );
    send(cancel_result()).await?;
    send(keep_on()).await?;
    let _ = (
        send(first(&mut Vec::new())).await,
        send(opaque(&[1])).await.count(),
        opaque_inside(true).await?.to_string(),
    );
    let _ = (
        send(opaque_argument([1])).await,
        send(patterns((1, 2), [1, 2, 3], 1)).await,
        send(mutable(1)).await,
    );
    let _ = (send(object(1)).await.to_string(), send(recursive(1)).await, send(stacked()).await);
    let _ = (send(boxed(1)).await?, boxed_with_a_lifetime("").await?, send(opaque_future(1)).await);
    let _ = (not_to_send(&Cell::new(1)).await, send(blocks(1)).await?);
    drop((send(never()), send(endless())));
    let mut shape = Shape { id: 1, name: String::new() };
    send(shape.model()).await;
    let _ = (send(shape.own_path()).await, send(shape.by_reference()).await.len(), shape.work().await);
    send(shape.by_mutable_reference()).await.push('a');
    let _ =
        (send(shape.refreshed()).await?, send(Work::boxed(&shape, 1)).await?, send(shape.by_value()).await);
    let _ = send(Arc::new(Shape { id: 1, name: String::new() }).counted()).await;
    Ok(())
}
