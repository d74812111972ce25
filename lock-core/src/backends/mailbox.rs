//! What one who waits was told, kept until he asks.
//!
//! What may interleave: an announcement may come before its waiter listens, after it has gone, or not at all when a
//! connection breaks. A mailbox is therefore set up before the store can know of the waiter, keeps what comes, and is
//! woken when announcements may have been lost.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::{
    backend::{BoxFuture, Signal, Watch},
    sync::{self, Mutex},
};

/// The last thing that was told.
#[derive(Default)]
pub(super) struct Mailbox {
    told: Mutex<Option<Signal>>,
    woken: Notify,
}

impl Mailbox {
    pub(super) fn tell(&self, signal: Signal) {
        let mut told = sync::lock(&self.told);
        // That it is time to look is not forgotten for a hint of when it may be.
        if *told != Some(Signal::LookAgain) {
            *told = Some(signal);
        }
        drop(told);
        self.woken.notify_one();
    }
}

/// Reads a mailbox.
pub(super) struct Listening(pub(super) Arc<Mailbox>);

impl Watch for Listening {
    fn next(&mut self) -> BoxFuture<'_, Option<Signal>> {
        Box::pin(async {
            loop {
                let told = sync::lock(&self.0.told).take();
                if told.is_some() {
                    return told;
                }
                self.0.woken.notified().await;
            }
        })
    }
}
