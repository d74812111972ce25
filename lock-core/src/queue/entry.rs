//! A key that is held or awaited in this process.

use std::{collections::VecDeque, sync::Arc};

use super::{Parcel, Turn, waiter::Waiter};
use crate::{
    clock::Moment,
    lease::{Owner, Ttl},
    signal::Signal,
};

/// The answer to a call that would like the turn at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Given(Turn),
    Taken {
        /// Its release is on the way.
        releasing: bool,
    },
}

/// When a turn ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Until when its guard may believe in it; never later than the expiry.
    pub(crate) deadline: Moment,
    /// From when on somebody else may have it.
    pub(crate) expiry: Moment,
}

impl Ends {
    const NEVER: Self = Self { deadline: Moment::NEVER, expiry: Moment::NEVER };

    /// The ends of a turn that lasts `ttl` from `start` on.
    pub(crate) fn after(ttl: Ttl, start: Moment) -> Self {
        Self { deadline: ttl.deadline(start), expiry: start.after(ttl.get()) }
    }
}

pub(super) struct Entry {
    pub(super) turn: Turn,
    /// Read together with the clock, and changed, under the shard's lock only: what was seen to have passed stays so.
    pub(super) ends: Ends,
    /// What most entries never need; apart, to keep the common entry small.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    releasing: bool,
    owner: Option<Owner>,
    lost: Option<Arc<Signal>>,
    /// What the last turn left to this one.
    parcel: Option<Box<dyn Parcel>>,
    waiters: VecDeque<Arc<Waiter>>,
}

impl Entry {
    pub(super) const fn new(turn: Turn) -> Self {
        Self { turn, ends: Ends::NEVER, more: None }
    }

    /// Nobody waits, for the turn or for its loss.
    pub(super) const fn is_simple(&self) -> bool {
        self.more.is_none()
    }

    /// A new turn begins, of somebody else. A parcel that was not taken is left to it.
    pub(super) fn begin(&mut self, turn: Turn) {
        self.turn = turn;
        self.ends = Ends::NEVER;
        if let Some(more) = &mut self.more {
            more.releasing = false;
            more.owner = None;
            more.lost = None;
        }
    }

    /// Its guard may believe in it.
    pub(super) fn is_believed(&self) -> bool {
        !self.ends.deadline.has_passed()
    }

    /// Never earlier than before. `false`: its guard does not believe in it any more.
    pub(super) fn extend(&mut self, ttl: Ttl) -> bool {
        if self.ends == Ends::NEVER {
            return true;
        }
        let now = Moment::now();
        if self.ends.deadline <= now {
            return false;
        }
        let Ends { deadline, expiry } = Ends::after(ttl, now);
        self.ends = Ends { deadline: self.ends.deadline.max(deadline), expiry: self.ends.expiry.max(expiry) };
        true
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

    pub(super) fn set_parcel(&mut self, parcel: Box<dyn Parcel>) {
        self.more().parcel = Some(parcel);
    }

    pub(super) fn take_parcel(&mut self) -> Option<Box<dyn Parcel>> {
        self.more.as_mut().and_then(|more| more.parcel.take())
    }

    pub(super) fn waiters(&self) -> usize {
        self.more.as_ref().map_or(0, |more| more.waiters.len())
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
