//! A lock of `memory://`: a turn of the queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    backends::memory,
    background,
    clock::Moment,
    error::{Error, Result},
    lease::{Owner, Ttl},
    lock::Target,
    queue::{Queue, Turn},
    signal::Signal,
};

/// A turn that ends with its guard, or, if it is not to be renewed, with its ttl.
pub(crate) struct InProcess {
    pub(super) target: Arc<Target>,
    pub(super) turn: Turn,
    ttl: Ttl,
    /// Until when the guard may believe in it; [`Moment::NEVER`] for one that does not end by itself.
    deadline: AtomicU64,
    /// Given back or detached.
    over: AtomicBool,
}

impl InProcess {
    /// A turn that does not end by itself.
    #[inline]
    pub(crate) const fn lasting(target: Arc<Target>, turn: Turn, ttl: Ttl) -> Self {
        let deadline = AtomicU64::new(Moment::NEVER.as_nanos());
        Self { target, turn, ttl, deadline, over: AtomicBool::new(false) }
    }

    /// A turn that ends when its ttl has passed.
    pub(crate) fn ending(target: Arc<Target>, turn: Turn, ttl: Ttl) -> Result<Self> {
        let hold = Self::lasting(target, turn, ttl);
        if let Err(error) = hold.end_after(ttl) {
            hold.release_now();
            return Err(error);
        }
        Ok(hold)
    }

    fn queue(&self) -> &Arc<Queue> {
        self.target.locker.queue()
    }

    fn deadline(&self) -> Moment {
        Moment::from_nanos(self.deadline.load(Ordering::Acquire))
    }

    pub(super) fn owner(&self) -> Owner {
        memory::owner(self.queue(), &self.target.key, self.turn)
    }

    pub(super) fn remaining(&self) -> Duration {
        match self.deadline() {
            _ if !self.is_held() => Duration::ZERO,
            Moment::NEVER => self.ttl.get(),
            deadline => deadline.until(),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        !self.is_over()
            && !self.deadline().has_passed()
            && self.queue().is_current(&self.target.key, self.turn)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn signal(&self) -> Option<Arc<Signal>> {
        if self.deadline().has_passed() {
            return None;
        }
        self.queue().signal(&self.target.key, self.turn)
    }

    pub(super) fn extend(&self, ttl: Ttl) -> Result<()> {
        let sent = Moment::now();
        if !self.is_held() {
            return Err(self.lost());
        }
        if self.deadline() == Moment::NEVER {
            return Ok(());
        }
        // The expiry first: the deadline must never be later. It never moves backwards.
        if !self.queue().extend_expiry(&self.target.key, self.turn, sent.after(ttl.get())) {
            return Err(self.lost());
        }
        self.deadline.fetch_max(ttl.deadline(sent).as_nanos(), Ordering::AcqRel);
        Ok(())
    }

    pub(super) fn release(&self) -> Result<()> {
        let was_held = self.is_held();
        if self.over.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // Also when it is too late for the guard: what is left of its turn is of no use to anybody.
        let was_ours = self.queue().leave(&self.target.key, self.turn);
        if was_held && was_ours { Ok(()) } else { Err(self.lost()) }
    }

    #[inline]
    pub(super) fn release_now(&self) {
        if !self.over.load(Ordering::Acquire) {
            self.over.store(true, Ordering::Release);
            self.queue().leave(&self.target.key, self.turn);
        }
    }

    pub(super) fn detach(&self) {
        if self.is_over() {
            return;
        }
        let ends = self.deadline() != Moment::NEVER || self.end_after(self.ttl).is_ok();
        self.over.store(true, Ordering::Release);
        if !ends {
            // Without a timer it would never end.
            self.queue().leave(&self.target.key, self.turn);
        }
    }

    fn end_after(&self, ttl: Ttl) -> Result<()> {
        let now = Moment::now();
        self.deadline.store(ttl.deadline(now).as_nanos(), Ordering::Release);
        self.queue().set_expiry(&self.target.key, self.turn, now.after(ttl.get()));
        background::spawn(expire(Arc::clone(&self.target), self.turn, ttl.margin())).map(drop)
    }

    fn lost(&self) -> Error {
        Error::Lost { key: self.target.key().clone() }
    }
}

/// Tells the guard of a turn when its deadline has passed, and ends the turn at its expiry.
async fn expire(target: Arc<Target>, turn: Turn, margin: Duration) {
    let queue = Arc::clone(target.locker.queue());
    let mut told = false;
    while let Some(expiry) = queue.expiry(&target.key, turn) {
        let left = expiry.until();
        if left.is_zero() {
            if queue.expel(&target.key, Some(turn)) && !told {
                tracing::warn!(key = %target.key(), "lock lost: its ttl has passed");
            }
            return;
        }
        if left <= margin && !told {
            told = true;
            tracing::warn!(key = %target.key(), "lock lost: its ttl has passed");
            queue.tell_lost(&target.key, turn);
        }
        tokio::time::sleep(if told { left } else { left.saturating_sub(margin) }).await;
    }
}
