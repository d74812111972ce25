//! Who waits in this process, and what the server told them.
//!
//! A [mailbox](crate::backends::mailbox) is set up before the server can know of the waiter.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    backend::{Request, Signal, Watch},
    backends::mailbox::{Listening, Mailbox},
    key::Key,
    lease::Owner,
    sync::{self, Mutex},
};

/// The mailboxes of all who wait.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<(Key, Owner), Waiter>>);

/// One who waits.
struct Waiter {
    /// His place in line, the same in each of his requests.
    place: Arc<str>,
    mailbox: Arc<Mailbox>,
}

impl Waiters {
    /// Sees to it that messages for the request are kept.
    pub(super) fn expect(&self, request: &Request, place: Arc<str>) -> Arc<str> {
        let waiter = Waiter { place: Arc::clone(&place), mailbox: Arc::default() };
        let replaced = sync::lock(&self.0).insert((request.key.clone(), request.owner.clone()), waiter);
        drop(replaced);
        place
    }

    /// The first part of the place in line that the request was given, if messages for it are kept.
    pub(super) fn place(&self, request: &Request) -> Option<Arc<str>> {
        let waiters = sync::lock(&self.0);
        let waiter = waiters.get(&(request.key.clone(), request.owner.clone()))?;
        Some(Arc::clone(&waiter.place))
    }

    /// Messages are not kept any more. Returns the first part of the place in line.
    pub(super) fn forget(&self, request: &Request) -> Option<Arc<str>> {
        let waiter = sync::lock(&self.0).remove(&(request.key.clone(), request.owner.clone()))?;
        Some(waiter.place)
    }

    pub(super) fn listen(&self, request: &Request) -> Option<Box<dyn Watch>> {
        let waiters = sync::lock(&self.0);
        let waiter = waiters.get(&(request.key.clone(), request.owner.clone()))?;
        Some(Box::new(Listening(Arc::clone(&waiter.mailbox))))
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
        let mailbox = sync::lock(&self.0).get(&place).map(|waiter| Arc::clone(&waiter.mailbox));
        match mailbox {
            Some(mailbox) => mailbox.tell(signal),
            None => return (signal == Signal::LookAgain).then_some(place),
        }
        None
    }

    /// Messages may have been lost: everybody looks again.
    pub(super) fn wake_all(&self) {
        let all: Vec<_> = sync::lock(&self.0).values().map(|waiter| Arc::clone(&waiter.mailbox)).collect();
        all.iter().for_each(|mailbox| mailbox.tell(Signal::LookAgain));
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
