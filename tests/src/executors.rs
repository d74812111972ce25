//! The executors that the cases run on.

use std::{fmt, sync::Arc, time::Duration};

use lock_core::{
    backend::BoxFuture,
    conformance::{Executor, Side, Threads},
};
use tokio::runtime::{Builder, Handle, Runtime};

/// Makes an executor for one run of a case.
pub type Make = fn() -> Arc<dyn Executor>;

/// One of each kind, by the name that stands in a test's.
pub fn executors() -> Vec<(&'static str, Make)> {
    vec![
        ("sync", || Arc::new(Threads::blocking())),
        ("block-on", || Arc::new(Threads::polling())),
        ("tokio", || Arc::new(Tokio::new(Builder::new_multi_thread().worker_threads(2)))),
        ("tokio-current-thread", || Arc::new(Tokio::new(&mut Builder::new_current_thread()))),
        ("smol", || Arc::new(Smol)),
    ]
}

struct Tokio(Option<Runtime>);

impl Tokio {
    fn new(builder: &mut Builder) -> Self {
        Self(Some(builder.enable_all().build().unwrap()))
    }
}

impl Executor for Tokio {
    fn side(&self) -> Side {
        Side::Async
    }

    fn block_on(&self, future: BoxFuture<'static, ()>) {
        self.0.as_ref().unwrap().block_on(future);
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        Handle::current().spawn(future);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

impl Drop for Tokio {
    fn drop(&mut self) {
        // The last to know of it may be one of its own tasks.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokio")
    }
}

#[derive(Debug)]
struct Smol;

impl Executor for Smol {
    fn side(&self) -> Side {
        Side::Async
    }

    fn block_on(&self, future: BoxFuture<'static, ()>) {
        smol::block_on(future);
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        smol::spawn(future).detach();
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            smol::Timer::after(time).await;
        })
    }
}
