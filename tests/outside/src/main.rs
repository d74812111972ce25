//! The public surface as a user writes it, section by section of the specification. `main` runs what can be run.

mod attributes;
mod blocks;
mod functions;
mod models;

use lock::lock; // the attribute #[lock] and the function lock("key"), one import
use lock::prelude::*; // the blocks and the traits

use std::future::Future;

type AppError = Box<dyn std::error::Error + Send + Sync>;

#[lock("global")]
fn foo() {}

/// On one line, where rustc looks for braces that are not needed.
#[rustfmt::skip]
#[lock("outside:line")]
fn one_line() -> Result<(), lock::Error> { Ok(()) }

#[rustfmt::skip]
#[lock("outside:line")]
async fn one_async_line() -> Result<(), lock::Error> { Ok(()) }

#[lock("order:{order_id}", wait = "5s", ttl = "30s")]
async fn ship(order_id: u64) -> Result<(), AppError> {
    println!("shipped {order_id}");
    Ok(())
}

fn main() -> Result<(), AppError> {
    let total = lock!("key", { 40 + 2 })?;
    {
        let guard = lock("global").acquire()?;
        println!("{total} under token {}", guard.fencing_token());
    }
    foo();
    one_line()?;
    block_on(one_async_line())?;
    block_on(ship(7))?;
    attributes::run()?;
    models::run()?;
    blocks::run()?;
    functions::run()
}

/// Waits for a future on this thread: what is guarded needs no executor in particular.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
