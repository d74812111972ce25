//! A lock of a backend: a lease, and what this process does about it.
//!
//! What may interleave: the guard's calls from any thread, the renewal, and time. Every end of the hold goes through
//! [`Leased::end`], which one of them wins; the deadline moves by compare-and-swap and, once anybody has seen it
//! passed, never again. A forked child has a copy of the guard and none of the lease: to it, what was held is lost, and
//! nothing that it does, be it only to drop the guard, reaches the backend.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    acquire::{Caller, check_ttl},
    backend::{Backend, Fault},
    background,
    clock::Moment,
    error::{Error, Result},
    lease::{Lease, Owner, Ttl},
    lock::Target,
    locker::{CALL_LIMIT, limited},
    queue::Turn,
    renew::{self, Loss},
    schedule::{Schedule, Ticket},
    signal::Signal,
};

/// A lease that a guard holds.
pub(crate) struct Leased {
    pub(super) target: Arc<Target>,
    pub(super) lease: Lease,
    pub(super) lost: Arc<Signal>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) turn: Option<Turn>,
    pub(super) immediate: bool,
    pub(super) bound: bool,
    pub(super) deadline: AtomicU64,
    /// Until when a lease that does not run out was extended.
    pub(super) extended: AtomicU64,
    pub(super) phase: AtomicU8,
    /// Whose it is: not a forked child's.
    process: u32,
    /// A release may have been executed, though its answer was lost.
    pub(super) doubtful: AtomicBool,
    /// The request for it may arrive once more, after its release: it is released again later.
    pub(super) again: AtomicBool,
    /// Somebody was told its owner, by which it can be adopted: nobody else may have it under that.
    pub(super) owner_told: AtomicBool,
    pub(super) renew: bool,
    /// There is reason to look whether the lease is still there.
    pub(super) hurried: Notify,
    /// Since when this process has the lease.
    pub(super) since: Moment,
    pub(super) scheduled: OnceLock<(Arc<Schedule>, Ticket)>,
    pub(super) keeper: OnceLock<AbortHandle>,
}

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Held,
    Released,
    Lost,
}

impl Phase {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Held,
            1 => Self::Released,
            _ => Self::Lost,
        }
    }
}

/// What [`Leased::deadline`] holds once somebody has seen it passed.
const PASSED: u64 = 0;

impl Leased {
    /// Takes charge of a lease whose request was sent at `sent`, renewing it or watching it end.
    pub(crate) fn new(
        target: Arc<Target>,
        backend: Arc<dyn Backend>,
        lease: Lease,
        turn: Option<Turn>,
        sent: Moment,
        renew: bool,
    ) -> Result<Arc<Self>> {
        let lasting = backend.capabilities().bound_to_process && renew;
        let deadline = if lasting { Moment::NEVER } else { lease.ttl.deadline(sent) };
        let hold = Arc::new(Self::starting(target, backend, lease, turn, (deadline, sent), renew));
        let mut told = true;
        if hold.bound {
            let weak = Arc::downgrade(&hold);
            let tell = move || {
                if let Some(hold) = weak.upgrade() {
                    renew::lose(&hold, Loss::Taken);
                }
            };
            told = hold.backend.tell_when_lost(&hold.lease, Box::new(tell));
        }
        let looked_after = match (lasting, told) {
            (true, true) => Ok(()),
            (true, false) => background::spawn(renew::look_after(Arc::downgrade(&hold)))
                .map(|keeper| hold.kept_by(&keeper)),
            (false, _) => hold.schedule(),
        };
        hold.or_release(looked_after)
    }

    pub(super) fn starting(
        target: Arc<Target>,
        backend: Arc<dyn Backend>,
        lease: Lease,
        turn: Option<Turn>,
        (deadline, since): (Moment, Moment),
        renew: bool,
    ) -> Self {
        let capabilities = backend.capabilities();
        Self {
            target,
            lost: Arc::default(),
            backend,
            turn,
            immediate: capabilities.immediate,
            bound: capabilities.bound_to_process,
            deadline: AtomicU64::new(deadline.as_nanos()),
            extended: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Held as u8),
            process: std::process::id(),
            doubtful: AtomicBool::new(false),
            again: AtomicBool::new(false),
            owner_told: AtomicBool::new(false),
            renew,
            hurried: Notify::new(),
            since,
            scheduled: OnceLock::new(),
            keeper: OnceLock::new(),
            lease,
        }
    }

    pub(super) fn schedule(self: &Arc<Self>) -> Result<()> {
        let schedule = background::schedule()?;
        let ticket = schedule.add(self, renew::first_due(self));
        drop(self.scheduled.set((schedule, ticket)));
        Ok(())
    }

    pub(super) fn or_release(self: Arc<Self>, looked_after: Result<()>) -> Result<Arc<Self>> {
        if let Err(error) = looked_after {
            self.release_now(Caller::Blocking);
            return Err(error);
        }
        Ok(self)
    }

    /// The task that looks after it, to be ended with it.
    pub(crate) fn kept_by<T>(&self, keeper: &JoinHandle<T>) {
        drop(self.keeper.set(keeper.abort_handle()));
    }

    /// An answer to the request for this lease was lost: what was sent may still be on its way.
    pub(crate) fn is_doubtful(&self) {
        self.again.store(true, Ordering::Release);
    }

    /// The owner, which is somebody's from now on.
    pub(crate) fn tell_owner(&self) -> Owner {
        self.owner_told.store(true, Ordering::Release);
        self.lease.owner.clone()
    }

    /// Nobody has to look after it any more.
    pub(super) fn unschedule(&self) {
        if let Some((schedule, ticket)) = self.scheduled.get() {
            schedule.remove(*ticket);
        }
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }

    /// Has it looked at sooner than it is due.
    pub(crate) fn hurry(&self) {
        self.hurried.notify_one();
    }

    /// Is ready when it is to be looked at sooner than it is due.
    pub(crate) async fn hurried(&self) {
        self.hurried.notified().await;
    }

    pub(crate) const fn renews(&self) -> bool {
        self.renew
    }

    pub(crate) fn is_of(&self, target: &Target) -> bool {
        self.lease.key == *target.key() && self.target.locker.identity() == target.locker.identity()
    }

    pub(crate) const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Fires when the lease is lost.
    pub(crate) const fn lost(&self) -> &Arc<Signal> {
        &self.lost
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    pub(crate) fn deadline(&self) -> Moment {
        Moment::from_nanos(self.deadline.load(Ordering::Acquire))
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.is_inherited() {
            return Phase::Lost;
        }
        Phase::of(self.phase.load(Ordering::Acquire))
    }

    /// This is a forked child, whose parent holds it.
    pub(super) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    pub(super) fn is_released(&self) -> bool {
        self.phase() == Phase::Released
    }

    pub(super) fn remaining(&self) -> Duration {
        match self.deadline() {
            _ if !self.is_held() => Duration::ZERO,
            Moment::NEVER => self.lease.ttl.get(),
            deadline => deadline.until(),
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.phase() == Phase::Held && !self.has_passed() && self.is_kept()
    }

    /// Whether a lease that is bound to its process is still there.
    pub(crate) fn is_kept(&self) -> bool {
        !self.bound || self.backend.keeps(&self.lease)
    }

    /// Whether the deadline has passed. Once this was answered with yes, no renewal makes it a no.
    pub(super) fn has_passed(&self) -> bool {
        let mut deadline = self.deadline.load(Ordering::Acquire);
        loop {
            if deadline == PASSED {
                return true;
            }
            if !Moment::from_nanos(deadline).has_passed() {
                return false;
            }
            match self.deadline.compare_exchange(deadline, PASSED, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // A timer that was just being set when the process was stopped, or the machine suspended, is late.
                    self.lost.fire();
                    return true;
                }
                Err(moved) => deadline = moved,
            }
        }
    }

    /// Moves the deadline further away. `false`: it has passed.
    fn prolong(&self, to: Moment) -> bool {
        let later = |deadline: u64| (deadline != PASSED).then(|| deadline.max(to.as_nanos()));
        !self.has_passed() && self.deadline.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).is_ok()
    }

    /// One renewal. `Ok(false)`: the lease is not ours any more.
    pub(crate) async fn renew_once(&self, ttl: Ttl, limit: Duration) -> Result<bool, Fault> {
        let sent = Moment::now();
        let ours = limited(limit, async { self.backend.renew(&self.lease, ttl).await }).await?;
        Ok(ours && self.prolong(ttl.deadline(sent)))
    }

    /// Ends the hold, if it has not ended. Returns how it stood before.
    pub(crate) fn end(&self, phase: Phase) -> Phase {
        let held = Phase::Held as u8;
        // Most are dropped after they were released, for which nobody has to be asked.
        if self.phase.load(Ordering::Acquire) == held && self.is_inherited() {
            return Phase::Lost;
        }
        let ended = self.phase.compare_exchange(held, phase as u8, Ordering::AcqRel, Ordering::Acquire);
        Phase::of(ended.unwrap_or_else(|stood| stood))
    }

    /// Lets the next in line of this process have its turn.
    pub(crate) fn leave(&self) {
        if let Some(turn) = self.turn {
            self.target.locker.queue().leave(&self.target.key, turn);
        }
    }

    pub(super) async fn extend(self: &Arc<Self>, ttl: Ttl) -> Result<()> {
        if !self.is_held() {
            return Err(self.lost_error());
        }
        check_ttl(ttl, &self.backend.capabilities())?;
        if self.deadline() == Moment::NEVER {
            // Of use when it is given away, and begins to run out.
            self.extended.fetch_max(Moment::now().after(ttl.get()).as_nanos(), Ordering::AcqRel);
            return Ok(());
        }
        let hold = Arc::clone(self);
        let job = background::spawn(async move { hold.renew_once(ttl, CALL_LIMIT).await })?;
        match job.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed))) {
            Ok(true) => Ok(()),
            Ok(false) => {
                renew::lose(self, Loss::Taken);
                Err(self.lost_error())
            }
            Err(fault) => Err(fault.into_error(&self.lease.key, "extend")),
        }
    }

    pub(super) fn lost_error(&self) -> Error {
        Error::Lost { key: self.lease.key.clone() }
    }
}
