//! Who waits in this process, and what the server told them.
//!
//! What may interleave: a message may come before its waiter listens, after it has gone, or not at all when the
//! connection breaks. A mailbox is therefore set up before the server can know of the waiter, keeps what comes, and
//! is woken when messages may have been lost.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::{
    backend::{BoxFuture, Request, Signal, Watch},
    key::Key,
    lease::Owner,
    sync::{self, Mutex},
};

/// The mailboxes of all who wait.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<(Key, Owner), Arc<Mailbox>>>);

/// What one who waits was told.
pub(super) struct Mailbox {
    /// The first part of his place in line, the same in each of his requests.
    place: Arc<str>,
    told: Mutex<Option<Signal>>,
    woken: Notify,
}

impl Mailbox {
    fn tell(&self, signal: Signal) {
        let mut told = sync::lock(&self.told);
        // That it is time to look is not forgotten for a hint of when it may be.
        if *told != Some(Signal::LookAgain) {
            *told = Some(signal);
        }
        drop(told);
        self.woken.notify_one();
    }
}

impl Waiters {
    /// Sees to it that messages for the request are kept.
    pub(super) fn expect(&self, request: &Request, place: Arc<str>) -> Arc<str> {
        let mailbox =
            Arc::new(Mailbox { place: Arc::clone(&place), told: Mutex::default(), woken: Notify::new() });
        let replaced = sync::lock(&self.0).insert((request.key.clone(), request.owner.clone()), mailbox);
        drop(replaced);
        place
    }

    /// The first part of the place in line that the request was given, if messages for it are kept.
    pub(super) fn place(&self, request: &Request) -> Option<Arc<str>> {
        let waiters = sync::lock(&self.0);
        let mailbox = waiters.get(&(request.key.clone(), request.owner.clone()))?;
        Some(Arc::clone(&mailbox.place))
    }

    /// Messages are not kept any more. Returns the first part of the place in line.
    pub(super) fn forget(&self, request: &Request) -> Option<Arc<str>> {
        let mailbox = sync::lock(&self.0).remove(&(request.key.clone(), request.owner.clone()))?;
        Some(Arc::clone(&mailbox.place))
    }

    pub(super) fn listen(&self, request: &Request) -> Option<Box<dyn Watch>> {
        let waiters = sync::lock(&self.0);
        let mailbox = waiters.get(&(request.key.clone(), request.owner.clone()))?;
        Some(Box::new(Listening(Arc::clone(mailbox))))
    }

    /// What the server said. Returns whose lock it was, if it was passed on to somebody who does not wait any more.
    pub(super) fn deliver(&self, message: &str) -> Option<(Key, Owner)> {
        let mut parts = message.splitn(4, '\u{1f}');
        let (Some(kind), Some(within), Some(key), Some(owner)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            tracing::debug!("a message that is not of this library");
            return None;
        };
        let place = (Key::from(key), owner.parse().ok()?);
        let signal = match (kind, within.parse()) {
            ("yours", _) => Signal::LookAgain,
            ("soon", Ok(millis)) => Signal::FreeIn(Duration::from_millis(millis)),
            _ => return None,
        };
        let mailbox = sync::lock(&self.0).get(&place).cloned();
        match mailbox {
            Some(mailbox) => mailbox.tell(signal),
            None => return (signal == Signal::LookAgain).then_some(place),
        }
        None
    }

    /// Messages may have been lost: everybody looks again.
    pub(super) fn wake_all(&self) {
        let all: Vec<_> = sync::lock(&self.0).values().cloned().collect();
        all.iter().for_each(|mailbox| mailbox.tell(Signal::LookAgain));
    }
}

struct Listening(Arc<Mailbox>);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lease::Ttl, park};

    fn request() -> Request {
        Request::exclusive(Key::from("k"), Owner::random().unwrap(), Ttl::DEFAULT)
    }

    #[test]
    fn what_was_told_before_anybody_listened_is_kept() {
        let (waiters, request) = (Waiters::default(), request());
        assert_eq!(waiters.place(&request), None);
        waiters.expect(&request, "here 50 ".into());
        assert_eq!(waiters.place(&request).as_deref(), Some("here 50 "));
        assert_eq!(waiters.deliver(&format!("yours\u{1f}20\u{1f}k\u{1f}{}", request.owner)), None);
        assert_eq!(waiters.deliver(&format!("soon\u{1f}20\u{1f}k\u{1f}{}", request.owner)), None);
        let mut listening = waiters.listen(&request).unwrap();
        assert_eq!(park::block_on(listening.next()), Some(Signal::LookAgain));
        waiters.deliver(&format!("soon\u{1f}20\u{1f}k\u{1f}{}", request.owner));
        assert_eq!(park::block_on(listening.next()), Some(Signal::FreeIn(Duration::from_millis(20))));
        waiters.wake_all();
        assert_eq!(park::block_on(listening.next()), Some(Signal::LookAgain));
        assert_eq!(waiters.forget(&request).as_deref(), Some("here 50 "));
        assert_eq!(waiters.forget(&request), None);
    }

    #[test]
    fn a_lock_that_nobody_waits_for_any_more_is_told_to_be_given_back() {
        let (waiters, request) = (Waiters::default(), request());
        let message = |kind| format!("{kind}\u{1f}20\u{1f}k\u{1f}{}", request.owner);
        assert_eq!(waiters.deliver(&message("yours")), Some((request.key.clone(), request.owner.clone())));
        assert_eq!(waiters.deliver(&message("soon")), None);
        for nonsense in ["", "yours", "yours\u{1f}1\u{1f}k", "other\u{1f}1\u{1f}k\u{1f}o"] {
            assert_eq!(waiters.deliver(nonsense), None, "{nonsense:?}");
        }
    }
}
