//! Functions that return a future without being `async`.

use std::pin::Pin;

use async_trait::async_trait;
use lock::lock;

use crate::{LOCKER, is_locked};

#[lock("futures:boxed:{id}", using = LOCKER)]
fn boxed(id: u8) -> Pin<Box<dyn Future<Output = Result<bool, lock::Error>> + Send>> {
    let key = format!("futures:boxed:{id}");
    Box::pin(async move {
        tokio::task::yield_now().await;
        Ok(is_locked(&key))
    })
}

#[lock("futures:opaque", using = LOCKER)]
fn opaque() -> impl Future<Output = bool> + Send {
    async {
        tokio::task::yield_now().await;
        is_locked("futures:opaque")
    }
}

#[async_trait]
trait Worker {
    async fn work(&self, name: &str) -> Result<bool, lock::Error>;

    #[lock("futures:default", using = LOCKER)]
    async fn by_default(&self) -> bool {
        tokio::task::yield_now().await;
        is_locked("futures:default")
    }
}

struct Order {
    id: u64,
}

#[async_trait]
impl Worker for Order {
    #[lock("futures:{self.id}:{name}", using = LOCKER)]
    async fn work(&self, name: &str) -> Result<bool, lock::Error> {
        if name.is_empty() {
            return Ok(false);
        }
        tokio::task::yield_now().await;
        Ok(is_locked(&format!("futures:{}:{name}", self.id)))
    }
}

#[async_trait]
trait Repository: Sync {
    #[lock("futures:{self.name()}:{id}", using = LOCKER, guard = lease, on_lost = "continue")]
    async fn load<T: From<u64> + Send>(&mut self, id: u64, rest: &mut Vec<T>) -> Option<T>
    where
        Self: Sized + Send,
    {
        rest.push(T::from(lease.fencing_token()));
        tokio::task::yield_now().await;
        rest.pop()
    }

    fn name(&self) -> String;
}

impl Repository for Order {
    fn name(&self) -> String {
        self.id.to_string()
    }
}

#[lock("futures:otherwise", using = LOCKER, blocking = false, otherwise = |error| error.is_locked())]
fn boxed_with_otherwise() -> Pin<Box<dyn Future<Output = bool> + Send>> {
    Box::pin(async { false })
}

#[tokio::test]
async fn a_boxed_future_has_the_same_options() {
    assert!(Order { id: 8 }.load::<u64>(1, &mut Vec::new()).await > Some(0));
    let guard = LOCKER.lock("futures:otherwise").acquire_async().await.unwrap();
    assert!(boxed_with_otherwise().await);
    guard.release_async().await.unwrap();
    assert!(!boxed_with_otherwise().await);
}

#[tokio::test]
#[lock("futures:test", using = LOCKER)]
async fn a_test_under_a_lock() {
    assert!(is_locked("futures:test"));
}

#[lock("futures:test below", using = LOCKER)]
#[tokio::test]
async fn a_test_below_a_lock() {
    assert!(is_locked("futures:test below"));
}

#[tokio::test]
async fn a_boxed_future_runs_under_the_lock() {
    let future = boxed(1);
    assert!(!is_locked("futures:boxed:1"), "held before it runs");
    assert!(future.await.unwrap());
    assert!(!is_locked("futures:boxed:1"));
}

#[tokio::test]
async fn an_opaque_future_runs_under_the_lock() {
    assert!(opaque().await);
    assert!(!is_locked("futures:opaque"));
}

#[tokio::test]
async fn a_method_of_async_trait_runs_under_the_lock() {
    let order: Box<dyn Worker + Send + Sync> = Box::new(Order { id: 7 });
    assert!(order.work("a").await.unwrap());
    assert!(!order.work("").await.unwrap());
    assert!(order.by_default().await);
    assert!(!is_locked("futures:7:a"));
}
