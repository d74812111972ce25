//! Who runs the cases: threads, or any executor of futures.

use std::{fmt, thread, time::Duration};

use tokio::sync::oneshot;

use crate::{backend::BoxFuture, park};

/// What kind of calls a case makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Blocking ones: `acquire()`.
    Blocking,
    /// Those of async code: `acquire_async().await`.
    Async,
}

/// Runs the futures of a case.
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// The calls that are made on it.
    fn side(&self) -> Side;

    /// Runs a future to its end.
    fn block_on(&self, future: BoxFuture<'static, ()>);

    /// Runs a future beside the one that [`block_on`](Self::block_on) is running.
    fn spawn(&self, future: BoxFuture<'static, ()>);

    /// Is ready when some time has passed.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// A thread for each task.
#[derive(Clone, Copy, Debug)]
pub struct Threads(Side);

impl Threads {
    /// For blocking calls.
    pub const fn blocking() -> Self {
        Self(Side::Blocking)
    }

    /// For async calls, on what is hardly an executor.
    pub const fn polling() -> Self {
        Self(Side::Async)
    }
}

impl Executor for Threads {
    fn side(&self) -> Side {
        self.0
    }

    fn block_on(&self, future: BoxFuture<'static, ()>) {
        park::block_on(future);
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        thread::spawn(move || park::block_on(future));
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (alarm, rung) = oneshot::channel();
        thread::spawn(move || {
            thread::sleep(time);
            // Nobody may be waiting any more.
            let _ = alarm.send(());
        });
        Box::pin(async move {
            let _ = rung.await;
        })
    }
}
