//! Who is to have a lock next: one waiter per key, who has an item say so.
//!
//! Nobody tells a waiter that the lock is free, so that he looks for it from time to time. Without more, a process that
//! takes it again as soon as it has released it has it nearly always: the others look for it once in some milliseconds,
//! and it is free for some microseconds in between. So who is refused makes himself the next one, unless somebody else
//! is; and whoever has seen that somebody else is, takes the lock no more before he has looked whether that still is so.
//!
//! Nothing but the order depends on it. The item may be evicted, may be that of a waiter who has died, in which case the
//! lock is free and unused for [`LASTS`] at most, and is not seen by a process that comes anew.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::wire::{Outcome, Reply};
use crate::{
    key::Key,
    sync::{self, Mutex},
};

/// How many seconds the item lives. Who waits looks more often; who looks less often lets the others go first.
pub(super) const LASTS: u64 = 2;
/// How many seconds it still has when it is told to live on.
const RENEWED_AT: i64 = 1;

/// What an item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nobody,
    /// The caller; how to remove it, and whether it is about to end.
    Us {
        cas: u64,
        ends: bool,
    },
    Others,
}

impl Next {
    /// `number`: what stands for the caller.
    pub(super) fn of(item: &Reply, number: u64) -> Self {
        match (item.outcome, item.cas) {
            (Outcome::Done, Some(cas)) if item.number() == Some(number) => {
                Self::Us { cas, ends: item.left.is_some_and(|left| left <= RENEWED_AT) }
            }
            (Outcome::Done, _) => Self::Others,
            _ => Self::Nobody,
        }
    }
}

/// The keys for which this process has seen somebody of another one wait lately.
#[derive(Debug, Default)]
pub(super) struct Awaited(Mutex<HashMap<Key, Instant>>);

impl Awaited {
    /// So many before those are forgotten that nobody can be next for any more.
    const MANY: usize = 64;

    pub(super) fn note(&self, key: &Key, next: Next) {
        let mut keys = sync::lock(&self.0);
        if next != Next::Others {
            keys.remove(key);
            return;
        }
        let now = Instant::now();
        if keys.len() >= Self::MANY && keys.len().is_power_of_two() {
            keys.retain(|_, until| *until > now);
        }
        keys.insert(key.clone(), now + Duration::from_secs(LASTS));
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        sync::lock(&self.0).get(key).is_some_and(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_says_who_is_next() {
        let item = |outcome, value: &str, left| Reply {
            outcome,
            value: Some(value.into()),
            cas: Some(3),
            left: Some(left),
        };
        assert_eq!(Next::of(&item(Outcome::Done, "7", 2), 7), Next::Us { cas: 3, ends: false });
        assert_eq!(Next::of(&item(Outcome::Done, "7", 1), 7), Next::Us { cas: 3, ends: true });
        assert_eq!(Next::of(&item(Outcome::Done, "8", 2), 7), Next::Others);
        assert_eq!(Next::of(&item(Outcome::Done, "what is this", -1), 7), Next::Others);
        assert_eq!(Next::of(&item(Outcome::Missing, "", 0), 7), Next::Nobody);
    }

    #[test]
    fn keys_are_forgotten_that_nobody_can_wait_for_any_more() {
        let awaited = Awaited::default();
        awaited.note(&Key::from("k"), Next::Others);
        assert!(awaited.has(&Key::from("k")) && !awaited.has(&Key::from("l")));
        awaited.note(&Key::from("k"), Next::Nobody);
        assert!(!awaited.has(&Key::from("k")));
        let long_ago = Instant::now();
        for number in 0..Awaited::MANY {
            sync::lock(&awaited.0).insert(Key::from(format!("k{number}")), long_ago);
        }
        awaited.note(&Key::from("k"), Next::Others);
        assert_eq!(sync::lock(&awaited.0).len(), 1);
    }
}
