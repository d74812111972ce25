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
    queue::{Ends, Queue, Turn},
    signal::Signal,
};

/// A turn that ends with its guard, or, if it is not to be renewed, with its ttl.
pub(crate) struct InProcess {
    pub(super) target: Arc<Target>,
    pub(super) turn: Turn,
    ttl: Ttl,
    /// Until when it was extended while it did not end by itself, in nanoseconds of [`Moment`].
    extended: AtomicU64,
    /// Given back or detached.
    over: AtomicBool,
}

impl InProcess {
    /// A turn that does not end by itself.
    #[inline]
    pub(crate) const fn lasting(target: Arc<Target>, turn: Turn, ttl: Ttl) -> Self {
        Self { target, turn, ttl, extended: AtomicU64::new(0), over: AtomicBool::new(false) }
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

    pub(super) fn owner(&self) -> Owner {
        memory::owner(self.queue(), &self.target.key, self.turn)
    }

    pub(super) fn remaining(&self) -> Duration {
        match self.ends() {
            Some(Ends { deadline: Moment::NEVER, .. }) if !self.is_over() => self.left().get(),
            Some(Ends { deadline, .. }) if !self.is_over() => deadline.until(),
            _ => Duration::ZERO,
        }
    }

    fn ends(&self) -> Option<Ends> {
        self.queue().ends(&self.target.key, self.turn)
    }

    /// What is left for one that begins to end now: its ttl, or what it was extended by.
    fn left(&self) -> Ttl {
        let extended = Moment::from_nanos(self.extended.load(Ordering::Acquire));
        // Out of range is what has passed, or is shorter than any ttl.
        Ttl::new(extended.until()).map_or(self.ttl, |left| left.max(self.ttl))
    }

    pub(super) fn is_held(&self) -> bool {
        !self.is_over() && self.queue().is_current(&self.target.key, self.turn)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn signal(&self) -> Option<Arc<Signal>> {
        self.queue().signal(&self.target.key, self.turn)
    }

    pub(super) fn extend(&self, ttl: Ttl) -> Result<()> {
        if self.is_over() || !self.queue().extend(&self.target.key, self.turn, ttl) {
            return Err(self.lost());
        }
        self.extended.fetch_max(Moment::now().after(ttl.get()).as_nanos(), Ordering::AcqRel);
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
        let ending = self.ends().is_none_or(|ends| ends.deadline != Moment::NEVER);
        let ends = ending || self.end_after(self.left()).is_ok();
        self.over.store(true, Ordering::Release);
        if !ends {
            // Without a timer it would never end.
            self.queue().leave(&self.target.key, self.turn);
        }
    }

    fn end_after(&self, ttl: Ttl) -> Result<()> {
        self.queue().set_ends(&self.target.key, self.turn, Ends::after(ttl, Moment::now()));
        background::spawn(expire(Arc::clone(&self.target), self.turn)).map(drop)
    }

    fn lost(&self) -> Error {
        Error::Lost { key: self.target.key().clone() }
    }
}

/// Tells the guard of a turn when its deadline has passed, and ends the turn at its expiry.
async fn expire(target: Arc<Target>, turn: Turn) {
    let queue = Arc::clone(target.locker.queue());
    let mut told = false;
    loop {
        if !told && queue.tell_lost(&target.key, turn) {
            told = true;
            tracing::warn!(key = %target.key(), "lock lost: its ttl has passed");
        }
        let Some(Ends { deadline, expiry }) = queue.ends(&target.key, turn) else { return };
        // Once told, it cannot be extended: the expiry is the last one.
        let left = if told { expiry } else { deadline }.until();
        if told && left.is_zero() {
            queue.expel(&target.key, Some(turn));
            return;
        }
        tokio::time::sleep(left).await;
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{sync::Barrier, thread, time::Instant};

    use super::*;
    use crate::{key::Key, locker::Locker, park, queue::Seat, signal::Waiting};

    const SOON: Duration = Duration::from_millis(100);
    const HOUR: Duration = Duration::from_hours(1);

    fn ttl(ttl: Duration) -> Ttl {
        let Ok(ttl) = Ttl::new(ttl) else { unreachable!("{ttl:?} is in range") };
        ttl
    }

    fn hold(space: &str) -> InProcess {
        let Ok(locker) = Locker::open(space) else { unreachable!("{space} is a URL") };
        let key = locker.queue().hashed(Key::from("k"));
        let Seat::Given(turn) = locker.queue().try_enter(&key) else { unreachable!("nobody else has it") };
        InProcess::lasting(Arc::new(Target { locker, key }), turn, ttl(SOON))
    }

    #[test]
    fn the_loss_is_told_at_the_deadline_that_counts_now() {
        let hold = hold("memory://hold-told");
        hold.end_after(ttl(SOON)).unwrap();
        // As after an extension by a long ttl, whose margin is longer than the first ttl as a whole.
        let begun = Moment::now();
        let ends = Ends { deadline: begun.after(2 * SOON), expiry: begun.after(HOUR) };
        hold.queue().set_ends(&hold.target.key, hold.turn, ends);
        let lost = Waiting::new(hold.signal().unwrap());
        park::block_on_until(lost_or_late(lost), Some(Instant::now() + Duration::from_secs(30)));
        assert!(ends.deadline.has_passed(), "told before the deadline");
        assert!(!hold.is_held() && hold.signal().is_none());
        hold.release_now();
    }

    /// Fails at a poll of the time limit instead of waiting for ever.
    async fn lost_or_late(lost: Waiting<Arc<Signal>>) {
        let mut lost = std::pin::pin!(lost);
        let begun = Instant::now();
        std::future::poll_fn(|context| {
            let polled = lost.as_mut().poll(context);
            assert!(polled.is_ready() || begun.elapsed() < Duration::from_secs(20), "never told");
            polled
        })
        .await;
    }

    #[test]
    fn what_was_seen_as_lost_is_not_extended() {
        let hold = hold("memory://hold-sticky");
        for _ in 0..500 {
            let begun = Moment::now();
            let ends =
                Ends { deadline: begun.after(Duration::from_micros(100)), expiry: begun.after(2 * SOON) };
            hold.queue().set_ends(&hold.target.key, hold.turn, ends);
            let start = Barrier::new(2);
            thread::scope(|scope| {
                let extended = scope.spawn(|| {
                    start.wait();
                    while ends.deadline.since(Moment::now()) > Duration::from_nanos(300) {}
                    hold.extend(ttl(HOUR)).is_ok()
                });
                start.wait();
                let mut seen_lost = false;
                while !extended.is_finished() {
                    let held = hold.is_held();
                    assert!(!(seen_lost && held), "held again");
                    seen_lost |= !held;
                }
                assert!(!(extended.join().unwrap() && seen_lost), "lost and extended");
            });
        }
    }

    #[test]
    fn an_extended_hold_that_is_detached_lasts_as_it_was_promised() {
        for renew in [true, false] {
            let lock = Locker::open("memory://hold-detached").unwrap().lock(format!("k{renew}"));
            let guard = lock.clone().ttl(SOON).renew(renew).acquire().unwrap();
            guard.extend(HOUR).unwrap();
            guard.extend(SOON).unwrap();
            assert!(guard.remaining() > HOUR * 9 / 10, "{:?}", guard.remaining());
            let owner = guard.into_owner();
            let holder = lock.holder().unwrap().unwrap();
            assert_eq!(holder.owner, owner);
            assert!(holder.expires_in.unwrap() > HOUR * 9 / 10, "{:?}", holder.expires_in);
            lock.force_release().unwrap();
        }
    }
}
