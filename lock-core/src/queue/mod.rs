//! The queue of this process, in front of every backend; for `memory://` it is the backend.
//!
//! One entry per key that is held or awaited here, none otherwise. Whoever has the *turn* of a key is the only one of
//! this process to ask the backend for it; the others wait in line, sync and async callers in one, first come first
//! served. Giving the turn away passes it to the first in line within the same critical section, so that nobody who
//! comes later can overtake.
//!
//! What may interleave, and what keeps it right:
//! - *leave × wait*: whether a waiter is in line, and whether it was given the turn, changes only under the shard's
//!   lock. A waiter that finds itself in line is passed the turn; one that has gone is not there to be passed it.
//! - *give × cancel*: a waiter that was given the turn and is dropped before it noticed gives it on.
//! - *give × poll*: the turn is written before the waker is taken, and the waker is stored before the turn is read.
//! - *pass × cancel*: what one turn leaves to the next, a parcel, lies with the entry. A turn that ends without having
//!   taken it leaves it to the next; where there is none, the turn goes on until the parcel was sent back.
//! - *leave × leave*: turns are numbered; leaving with a number that is not the current one does nothing.
//! - *extend × end*: whether a turn's deadline has passed is decided under the shard's lock, by the clock read there.
//! - *wake*: wakers run foreign code, also when they are cloned or dropped; that happens under no lock, and they are
//!   taken out of their waiter after the shard's lock was let go.
//! - *fork*: a child has copies of turns that its parent ends, and nobody here. In front of a backend, which knows of the
//!   parent's, they are forgotten by whoever would wait for one of them, before he gets in line.

mod entry;
mod keys;
mod waiter;

#[cfg(all(test, shuttle))]
mod schedules;
#[cfg(all(test, not(shuttle)))]
mod tests;

use std::{
    any::Any,
    fmt,
    hash::{BuildHasher, RandomState},
    mem,
    sync::Arc,
};

use self::{entry::Entry, keys::Keys, waiter::Waiter};
pub(crate) use self::{
    entry::{Ends, Seat},
    keys::Hashed,
    waiter::Entering,
};
use crate::{
    clock::{self, Moment},
    key::Key,
    lease::{Owner, Ttl},
    signal::Signal,
    sync::{self, AtomicU64, Mutex, Ordering},
};

/// More shards than any machine has cores that hammer different keys at one moment.
#[cfg(not(shuttle))]
const SHARDS: usize = 64;
#[cfg(shuttle)]
const SHARDS: usize = 1;

/// A turn: its number is higher than that of every earlier turn of the key, so that it can be a fencing token.
pub(crate) type Turn = u64;

/// What a turn leaves to the next one: the lease of a backend, which then needs not be asked for anew.
pub(crate) trait Parcel: Any + Send {
    /// Nobody takes it: sends it back, and ends the turn that goes on until then. Called with no lock held.
    fn back(self: Box<Self>, turn: Turn);

    /// It was not taken in time: sends it back, and the turn goes on without it. Called with no lock held.
    fn recall(self: Box<Self>);
}

/// Keeps each shard on cache lines of its own.
#[repr(align(128))]
struct Shard(Mutex<Entries>);

struct Entries {
    held: Keys,
    last: Turn,
}

impl Entries {
    fn next_turn(&mut self) -> Turn {
        self.last += 1;
        self.last
    }
}

/// See the [module](self).
pub(crate) struct Queue {
    shards: Box<[Shard]>,
    hasher: RandomState,
    /// Whose turns they are.
    process: AtomicU64,
    forgetting: Mutex<()>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        // Later processes begin with higher numbers: a counter from 1 would let a stale writer pass as a new one.
        let last = clock::unix_micros();
        let shard = || Shard(Mutex::new(Entries { held: Keys::default(), last }));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            process: AtomicU64::new(std::process::id().into()),
            forgetting: Mutex::new(()),
        }
    }

    pub(crate) fn hashed(&self, key: Key) -> Hashed {
        Hashed::new(key, &self.hasher)
    }

    fn entries(&self, key: &Hashed) -> impl std::ops::DerefMut<Target = Entries> + '_ {
        // The table inside the shard uses the low and the highest bits.
        let index = (key.hash() >> 32) as usize % SHARDS;
        sync::lock(&self.shards[index].0)
    }

    /// Takes the turn if nobody has it or waits for it.
    pub(crate) fn try_enter(&self, key: &Hashed) -> Seat {
        let mut entries = self.entries(key);
        if let Some(entry) = entries.held.get(key) {
            return Seat::Taken { releasing: entry.is_releasing() };
        }
        let turn = entries.next_turn();
        entries.held.insert(key.clone(), Entry::new(turn));
        Seat::Given(turn)
    }

    /// In a forked child, forgets the turns of its parent. `false`: they are ours.
    pub(crate) fn forget_parents(&self) -> bool {
        let process = u64::from(std::process::id());
        if self.process.load(Ordering::Acquire) == process {
            return false;
        }
        let _one = sync::lock(&self.forgetting);
        if self.process.load(Ordering::Acquire) != process {
            for shard in &self.shards {
                // Not dropped: what waits in them belongs to runtimes that are not here.
                mem::forget(mem::take(&mut sync::lock(&shard.0).held));
            }
            self.process.store(process, Ordering::Release);
        }
        true
    }

    /// Gets in line. The turn comes when the returned future is ready.
    pub(crate) fn enter(self: &Arc<Self>, key: &Hashed) -> Entering {
        Entering::new(Arc::clone(self), key.clone())
    }

    /// Gives the turn to the next in line. `false`: it was somebody else's already.
    pub(crate) fn leave(&self, key: &Hashed, turn: Turn) -> bool {
        let mut entries = self.entries(key);
        let Some(entry) = entries.held.get_mut(key).filter(|entry| entry.turn == turn) else { return false };
        if entry.is_simple() {
            entries.held.remove(key);
            return true;
        }
        if entry.waiters() == 0
            && let Some(parcel) = entry.take_parcel()
        {
            entry.set_releasing();
            drop(entries);
            parcel.back(turn);
            return true;
        }
        let (waiter, lost) = Self::pass_on(&mut entries, key);
        drop(entries);
        drop(lost);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        true
    }

    /// Gives the turn to the next in line, and a parcel with it. Gives it back if nobody waits, or it is not the turn.
    pub(crate) fn pass(
        &self,
        key: &Hashed,
        turn: Turn,
        parcel: Box<dyn Parcel>,
    ) -> Result<(), Box<dyn Parcel>> {
        let mut entries = self.entries(key);
        let entry = entries.held.get_mut(key).filter(|entry| entry.turn == turn && entry.waiters() > 0);
        let Some(entry) = entry else { return Err(parcel) };
        entry.set_parcel(parcel);
        let (waiter, lost) = Self::pass_on(&mut entries, key);
        drop(entries);
        drop(lost);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        Ok(())
    }

    /// What the last turn has left to this one.
    pub(crate) fn take_parcel(&self, key: &Hashed, turn: Turn) -> Option<Box<dyn Parcel>> {
        self.with(key, turn, Entry::take_parcel).flatten()
    }

    /// Sends back what the turn that the key is at has not taken yet.
    pub(crate) fn recall_parcel(&self, key: &Hashed) {
        let parcel = self.entries(key).held.get_mut(key).and_then(Entry::take_parcel);
        if let Some(parcel) = parcel {
            parcel.recall();
        }
    }

    /// How many wait for this turn to end.
    pub(crate) fn waiters(&self, key: &Hashed, turn: Turn) -> usize {
        self.with(key, turn, |entry| entry.waiters()).unwrap_or(0)
    }

    /// Ends somebody's turn: its lease ended without its doing. `false`: it was over already.
    pub(crate) fn expel(&self, key: &Hashed, turn: Option<Turn>) -> bool {
        let mut entries = self.entries(key);
        let Some(current) = entries.held.get(key).map(|entry| entry.turn) else { return false };
        if turn.is_some_and(|turn| turn != current) {
            return false;
        }
        let (waiter, lost) = Self::pass_on(&mut entries, key);
        drop(entries);
        if let Some(lost) = lost {
            lost.fire();
        }
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        true
    }

    /// Makes the first in line the owner of the turn, or removes the entry.
    ///
    /// Both results are for when the shard is no longer locked, be it only to be dropped.
    fn pass_on(entries: &mut Entries, key: &Hashed) -> (Option<Arc<Waiter>>, Option<Arc<Signal>>) {
        let turn = entries.next_turn();
        let Some(entry) = entries.held.get_mut(key) else { return (None, None) };
        let lost = entry.take_signal();
        let waiter = entry.next_waiter();
        if let Some(waiter) = &waiter {
            entry.begin(turn);
            waiter.give(turn);
        } else {
            entries.held.remove(key);
        }
        (waiter, lost)
    }

    /// The turn is about to end by itself: a call that does not want to wait may wait for that.
    pub(crate) fn releasing(&self, key: &Hashed, turn: Turn) {
        self.with(key, turn, Entry::set_releasing);
    }

    /// Records when the turn ends by itself.
    pub(crate) fn set_ends(&self, key: &Hashed, turn: Turn, ends: Ends) {
        self.with(key, turn, |entry| entry.ends = ends);
    }

    /// Lets a turn that ends by itself last `ttl` from now on. `false`: it is over, or its deadline has passed.
    pub(crate) fn extend(&self, key: &Hashed, turn: Turn, ttl: Ttl) -> bool {
        self.with(key, turn, |entry| entry.extend(ttl)).unwrap_or(false)
    }

    /// When the turn ends by itself; `None` if it is over.
    pub(crate) fn ends(&self, key: &Hashed, turn: Turn) -> Option<Ends> {
        self.with(key, turn, |entry| entry.ends)
    }

    /// Names the owner of a turn, where it was chosen by the caller.
    pub(crate) fn set_owner(&self, key: &Hashed, turn: Turn, owner: Owner) {
        self.with(key, turn, |entry| entry.set_owner(owner));
    }

    /// The owner of a turn, where it was chosen by the caller.
    pub(crate) fn owner(&self, key: &Hashed, turn: Turn) -> Option<Owner> {
        self.with(key, turn, |entry| entry.owner()).flatten()
    }

    /// A number of this queue's own, in the upper half of 128 bits.
    pub(crate) fn salt(&self) -> u128 {
        u128::from(self.hasher.hash_one("owner")) << 64
    }

    /// Ends a turn in favour of a new one, past everybody who waits. `None`: it was over already.
    pub(crate) fn take_over(&self, key: &Hashed, turn: Turn) -> Option<Turn> {
        let mut entries = self.entries(key);
        let next = entries.next_turn();
        let entry = entries.held.get_mut(key).filter(|entry| entry.turn == turn)?;
        let lost = entry.take_signal();
        let owner = entry.owner();
        entry.begin(next);
        if let Some(owner) = owner {
            entry.set_owner(owner);
        }
        drop(entries);
        if let Some(lost) = lost {
            lost.fire();
        }
        Some(next)
    }

    /// Fires the signal of a turn whose deadline has passed, and that goes on for a moment. `false`: it is not so.
    pub(crate) fn tell_lost(&self, key: &Hashed, turn: Turn) -> bool {
        let lost =
            self.with(key, turn, |entry| (!entry.is_believed()).then(|| entry.take_signal())).flatten();
        let is_lost = lost.is_some();
        if let Some(lost) = lost.flatten() {
            lost.fire();
        }
        is_lost
    }

    /// Whether this turn still lasts, and its deadline has not passed.
    pub(crate) fn is_current(&self, key: &Hashed, turn: Turn) -> bool {
        self.with(key, turn, |entry| entry.is_believed()).unwrap_or(false)
    }

    /// What is fired when this turn's deadline passes, or it is ended by [`expel`](Self::expel); `None` if that is over.
    pub(crate) fn signal(&self, key: &Hashed, turn: Turn) -> Option<Arc<Signal>> {
        self.with(key, turn, |entry| entry.is_believed().then(|| entry.signal())).flatten()
    }

    fn with<T>(&self, key: &Hashed, turn: Turn, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.entries(key).held.get_mut(key).filter(|entry| entry.turn == turn).map(act)
    }

    /// Whose turn it is, and when that ends by itself.
    pub(crate) fn current(&self, key: &Hashed) -> Option<(Turn, Moment)> {
        self.entries(key).held.get(key).map(|entry| (entry.turn, entry.ends.expiry))
    }

    /// Everybody's turns.
    pub(crate) fn all(&self) -> Vec<(Hashed, Turn, Moment)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let entries = sync::lock(&shard.0);
            all.extend(entries.held.iter().map(|(key, entry)| (key.clone(), entry.turn, entry.ends.expiry)));
        }
        all
    }

    /// How many keys are held or awaited.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| sync::lock(&shard.0).held.len()).sum()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("keys", &self.len()).finish_non_exhaustive()
    }
}
