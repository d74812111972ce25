//! A lease that goes from one hold of this process to the next, without a word to the backend.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{leased::Leased, release::give_back};
use crate::{
    backend::{Backend, Mode},
    background,
    clock::Moment,
    error::Result,
    lease::Lease,
    lock::{Options, Target},
    queue::{Parcel, Turn},
    schedule::Call,
};

/// How soon a waiter takes a lease that was left to it. One that is not polled keeps other processes waiting.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);

impl Leased {
    /// Takes over a lease that was handed over inside this process, with the turn.
    pub(crate) fn handed_over(kept: Kept, turn: Turn) -> Result<Arc<Self>> {
        let Kept { target, backend, lease, deadline, since, recalled } = kept;
        drop(recalled);
        let hold = Arc::new(Self::starting(target, backend, lease, Some(turn), (deadline, since), true));
        let scheduled = hold.schedule();
        hold.or_release(scheduled)
    }

    /// Leaves the lease to the next in line of this process, without asking anybody, if it may be and somebody waits.
    ///
    /// Bounded by the tokens that were reserved with it, one for each who waited then, and by a third of its ttl: who
    /// waits in other processes is to have a turn as well. The owner stays the same, as nobody was told it.
    pub(super) fn hand_over(&self) -> bool {
        let may = !self.immediate && self.renew && self.lease.reserved > 1;
        let Some(turn) = self.turn.filter(|_| may) else { return false };
        if self.owner_told.load(Ordering::Acquire) || self.again.load(Ordering::Acquire) {
            return false;
        }
        let (deadline, ttl) = (self.deadline(), self.lease.ttl.get());
        let extended = deadline.until() > ttl;
        if extended || self.since.after(ttl / 3).has_passed() || self.has_passed() {
            return false;
        }
        let queue = self.target.locker.queue();
        if queue.waiters(&self.target.key, turn) == 0 {
            return false;
        }
        let Ok(schedule) = background::schedule() else { return false };
        let target = Arc::clone(&self.target);
        let recalled = schedule.call(TAKEN_WITHIN.min(ttl / 6), move || {
            target.locker.queue().recall_parcel(&target.key);
        });
        let mut lease = self.lease.clone();
        lease.fencing_token += 1;
        lease.reserved -= 1;
        let (target, backend) = (Arc::clone(&self.target), Arc::clone(&self.backend));
        let kept = Kept { target, backend, lease, deadline, since: self.since, recalled };
        queue.pass(&self.target.key, turn, Box::new(kept)).is_ok()
    }
}

/// A lease on its way from one hold of this process to the next.
pub(crate) struct Kept {
    target: Arc<Target>,
    backend: Arc<dyn Backend>,
    lease: Lease,
    deadline: Moment,
    since: Moment,
    recalled: Call,
}

impl Kept {
    /// Whether it is what the next one wants, and enough of it is left.
    pub(crate) fn fits(&self, options: &Options) -> bool {
        let alike = options.renew && options.ttl == self.lease.ttl && options.owner.is_none();
        alike && options.mode == Mode::Exclusive && self.deadline.until() > self.lease.ttl.get() / 3
    }

    /// Gives it back, to the end, also if nobody waits for that.
    pub(crate) fn give_back(self) -> Result<JoinHandle<()>> {
        let Self { backend, lease, .. } = self;
        background::spawn_before_exit(async move { drop(give_back(&*backend, &lease).await) })
    }
}

impl Parcel for Kept {
    fn back(self: Box<Self>, turn: Turn) {
        let target = Arc::clone(&self.target);
        let job = background::spawn_before_exit(async move {
            drop(give_back(&*self.backend, &self.lease).await);
            self.target.locker.queue().leave(&self.target.key, turn);
        });
        if let Err(error) = job {
            tracing::warn!(key = %target.key(), %error, "could not give a lease back");
            target.locker.queue().leave(&target.key, turn);
        }
    }

    fn recall(self: Box<Self>) {
        let key = self.lease.key.clone();
        if let Err(error) = self.give_back() {
            tracing::warn!(%key, %error, "could not give a lease back");
        }
    }
}
