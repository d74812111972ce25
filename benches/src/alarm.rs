//! Sleeping for a millisecond, which the timer of a runtime takes for two.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::Result;

/// A thread that sleeps for one task at a time: for who has the lock.
#[derive(Clone, Debug)]
pub struct Alarm(Sender<(Duration, oneshot::Sender<()>)>);

impl Default for Alarm {
    fn default() -> Self {
        let (orders, given) = channel::<(Duration, oneshot::Sender<()>)>();
        thread::spawn(move || {
            for (span, done) in given {
                thread::sleep(span);
                // Whoever does not wait any more need not be woken.
                done.send(()).ok();
            }
        });
        Self(orders)
    }
}

impl Alarm {
    /// Sleeps so long.
    ///
    /// # Errors
    /// If the thread has ended.
    pub async fn sleep(&self, span: Duration) -> Result {
        let (done, woken) = oneshot::channel();
        self.0.send((span, done))?;
        Ok(woken.await?)
    }
}
