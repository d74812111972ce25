//! A key that is held or awaited in this process.

use std::{collections::VecDeque, sync::Arc};

use super::{Turn, waiter::Waiter};
use crate::{clock::Moment, lease::Owner, signal::Signal};

/// The answer to a call that would like the turn at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Given(Turn),
    Taken {
        /// Its release is on the way.
        releasing: bool,
    },
}

pub(super) struct Entry {
    pub(super) turn: Turn,
    /// When the turn ends by itself.
    pub(super) expiry: Moment,
    /// What most entries never need; apart, to keep the common entry small.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    releasing: bool,
    owner: Option<Owner>,
    lost: Option<Arc<Signal>>,
    waiters: VecDeque<Arc<Waiter>>,
}

impl Entry {
    pub(super) const fn new(turn: Turn) -> Self {
        Self { turn, expiry: Moment::NEVER, more: None }
    }

    /// Nobody waits, for the turn or for its loss.
    pub(super) const fn is_simple(&self) -> bool {
        self.more.is_none()
    }

    /// A new turn begins, of somebody else.
    pub(super) fn begin(&mut self, turn: Turn) {
        self.turn = turn;
        self.expiry = Moment::NEVER;
        if let Some(more) = &mut self.more {
            more.releasing = false;
            more.owner = None;
            more.lost = None;
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(super) fn is_releasing(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.releasing && more.waiters.is_empty())
    }

    pub(super) fn set_releasing(&mut self) {
        self.more().releasing = true;
    }

    pub(super) fn owner(&self) -> Option<Owner> {
        self.more.as_ref().and_then(|more| more.owner.clone())
    }

    pub(super) fn set_owner(&mut self, owner: Owner) {
        self.more().owner = Some(owner);
    }

    pub(super) fn signal(&mut self) -> Arc<Signal> {
        Arc::clone(self.more().lost.get_or_insert_default())
    }

    pub(super) fn take_signal(&mut self) -> Option<Arc<Signal>> {
        self.more.as_mut().and_then(|more| more.lost.take())
    }

    pub(super) fn add_waiter(&mut self, waiter: Arc<Waiter>) {
        self.more().waiters.push_back(waiter);
    }

    pub(super) fn next_waiter(&mut self) -> Option<Arc<Waiter>> {
        self.more.as_mut().and_then(|more| more.waiters.pop_front())
    }

    /// `false`: it is not in line.
    pub(super) fn remove_waiter(&mut self, waiter: &Arc<Waiter>) -> bool {
        let Some(more) = &mut self.more else { return false };
        let place = more.waiters.iter().position(|other| Arc::ptr_eq(other, waiter));
        place.and_then(|place| more.waiters.remove(place)).is_some()
    }
}
