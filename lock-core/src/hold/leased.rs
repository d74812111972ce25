//! A lock of a backend: a lease, and what this process does about it.
//!
//! What may interleave: the guard's calls from any thread, the renewal, and time. Every end of the hold goes through
//! [`Leased::end`], which one of them wins; the deadline moves by compare-and-swap and, once anybody has seen it
//! passed, never again.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::task::{AbortHandle, JoinHandle};

use crate::{
    acquire::{Caller, check_ttl},
    backend::{Answer, Backend, Fault, Mode},
    background,
    clock::Moment,
    error::{Error, Result},
    lease::{Lease, Owner, Ttl},
    lock::{Options, Target},
    locker::{CALL_LIMIT, SHORT_LIMIT, limited, limited_anywhere},
    park,
    queue::{Parcel, Turn},
    renew::{self, Loss},
    schedule::{Call, Schedule, Ticket},
    signal::Signal,
};

/// A lease that a guard holds.
pub(crate) struct Leased {
    pub(super) target: Arc<Target>,
    pub(super) lease: Lease,
    lost: Arc<Signal>,
    backend: Arc<dyn Backend>,
    turn: Option<Turn>,
    immediate: bool,
    bound: bool,
    deadline: AtomicU64,
    /// Until when a lease that does not run out was extended.
    extended: AtomicU64,
    phase: AtomicU8,
    /// A release may have been executed, though its answer was lost.
    doubtful: AtomicBool,
    /// The request for it may arrive once more, after its release: it is released again later.
    again: AtomicBool,
    /// Somebody was told its owner, by which it can be adopted: nobody else may have it under that.
    owner_told: AtomicBool,
    renew: bool,
    /// Since when this process has the lease.
    since: Moment,
    scheduled: OnceLock<(Arc<Schedule>, Ticket)>,
    keeper: OnceLock<AbortHandle>,
}

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Held,
    Released,
    Lost,
}

/// How soon a waiter takes a lease that was left to it. One that is not polled keeps other processes waiting.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);

/// When a lease is released again whose request may have been on its way for longer than its answer was waited for: the
/// kernel gives a connection up that is not answered for 10 s.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

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

    /// Takes over a lease that was handed over inside this process, with the turn.
    pub(crate) fn handed_over(kept: Kept, turn: Turn) -> Result<Arc<Self>> {
        let Kept { target, backend, lease, deadline, since, recalled } = kept;
        drop(recalled);
        let hold = Arc::new(Self::starting(target, backend, lease, Some(turn), (deadline, since), true));
        let scheduled = hold.schedule();
        hold.or_release(scheduled)
    }

    fn starting(
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
            doubtful: AtomicBool::new(false),
            again: AtomicBool::new(false),
            owner_told: AtomicBool::new(false),
            renew,
            since,
            scheduled: OnceLock::new(),
            keeper: OnceLock::new(),
            lease,
        }
    }

    fn schedule(self: &Arc<Self>) -> Result<()> {
        let schedule = background::schedule()?;
        let ticket = schedule.add(self, renew::first_due(self));
        drop(self.scheduled.set((schedule, ticket)));
        Ok(())
    }

    fn or_release(self: Arc<Self>, looked_after: Result<()>) -> Result<Arc<Self>> {
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

    /// What is left to do when such a lease has ended.
    pub(crate) fn give_back_again_if_doubtful(&self) {
        if self.again.load(Ordering::Acquire) {
            give_back_again(&self.backend, &self.lease);
        }
    }

    /// The owner, which is somebody's from now on.
    pub(crate) fn tell_owner(&self) -> Owner {
        self.owner_told.store(true, Ordering::Release);
        self.lease.owner.clone()
    }

    /// Nobody has to look after it any more.
    fn unschedule(&self) {
        if let Some((schedule, ticket)) = self.scheduled.get() {
            schedule.remove(*ticket);
        }
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
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
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Held,
            1 => Phase::Released,
            _ => Phase::Lost,
        }
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
    fn has_passed(&self) -> bool {
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
        match self.phase.compare_exchange(held, phase as u8, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Phase::Held,
            Err(_) => self.phase(),
        }
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

    pub(super) async fn release(self: &Arc<Self>, caller: Caller) -> Result<()> {
        let late = self.has_passed();
        let Some(job) = self.begin_release()? else { return Ok(()) };
        if late && !self.immediate {
            // Whatever the store may say, and whenever: it was lost.
            drop(background::spawn_before_exit(job)?);
            return Err(self.lost_error());
        }
        let released = match self.finish_here(job, caller) {
            Ok(done) => done,
            Err(job) => match self.finish_on_the_way(job, caller).await {
                Ok(done) => done,
                Err(job) => {
                    let job = background::spawn_before_exit(job)?;
                    job.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed)))
                }
            },
        };
        match released {
            Ok(true) if !late => Ok(()),
            Ok(_) => Err(self.lost_error()),
            Err(fault) => Err(fault.into_error(&self.lease.key, "release")),
        }
    }

    pub(super) fn release_now(self: &Arc<Self>, caller: Caller) {
        let Ok(Some(job)) = self.begin_release() else { return };
        if let Err(job) = self.finish_here(job, caller) {
            self.finish(job, caller, "release failed");
        }
    }

    /// The release as a job, if this call is the one to do it.
    fn begin_release(
        self: &Arc<Self>,
    ) -> Result<Option<impl Future<Output = Result<bool, Fault>> + Send + 'static>> {
        match self.end(Phase::Released) {
            Phase::Held => {}
            Phase::Released => return Ok(None),
            Phase::Lost => return Err(self.lost_error()),
        }
        self.unschedule();
        if self.hand_over() {
            return Ok(None);
        }
        if let (Some(turn), false) = (self.turn, self.immediate) {
            self.target.locker.queue().releasing(&self.target.key, turn);
        }
        let leaving = Leaving(Arc::clone(self));
        Ok(Some(async move {
            let hold = &leaving.0;
            let released = give_back(&*hold.backend, &hold.lease).await?;
            Ok(released || hold.doubtful.load(Ordering::Acquire))
        }))
    }

    /// Leaves the lease to the next in line of this process, without asking anybody, if it may be and somebody waits.
    ///
    /// Bounded by the tokens that were reserved with it, one for each who waited then, and by a third of its ttl: who
    /// waits in other processes is to have a turn as well. The owner stays the same, as nobody was told it.
    fn hand_over(&self) -> bool {
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

    /// Releases in the caller's thread where there is a way; gives the job for the background thread back otherwise.
    fn finish_here<F>(&self, job: F, caller: Caller) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>>,
    {
        if caller == Caller::Blocking && !background::is_current() {
            match self.backend.release_blocking(&self.lease, SHORT_LIMIT) {
                Some(Ok(released)) => {
                    // This leaves the turn.
                    drop(job);
                    return Ok(Ok(released));
                }
                Some(Err(fault)) => self.doubtful.store(fault.may_have_executed(), Ordering::Release),
                None => {}
            }
        }
        self.finish_inline(job)
    }

    /// Releases on the runtime of an async caller where there is a way; gives the job back otherwise.
    async fn finish_on_the_way<F>(
        &self,
        job: Pin<Box<F>>,
        caller: Caller,
    ) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>> + Send + 'static,
    {
        let here = if caller == Caller::Async { self.backend.release_here(&self.lease) } else { None };
        let Some(here) = here else { return Err(job) };
        let mut release = OnTheWay { here, job: Some(job) };
        let answer = limited_anywhere(SHORT_LIMIT, &mut release.here).await;
        let job = release.job.take();
        match (answer, job) {
            (Err(fault), Some(job)) => {
                self.doubtful.store(fault.may_have_executed(), Ordering::Release);
                Err(job)
            }
            // Dropping the job leaves the turn.
            (answer, _) => Ok(answer),
        }
    }

    /// Does a job of an immediate backend here and now; gives any other back.
    fn finish_inline<F>(&self, job: F) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>>,
    {
        let mut job = Box::pin(job);
        if self.immediate
            && let Poll::Ready(answer) = job.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return Ok(answer);
        }
        Err(job)
    }

    pub(super) fn detach(self: &Arc<Self>, caller: Caller) {
        if self.end(Phase::Released) != Phase::Held {
            return;
        }
        self.unschedule();
        let extended = Moment::from_nanos(self.extended.load(Ordering::Acquire)).until();
        let ttl = Ttl::new(extended).map_or(self.lease.ttl, |extended| extended.max(self.lease.ttl));
        let (leaving, immediate) = (Leaving(Arc::clone(self)), self.immediate);
        let job = async move {
            let hold = &leaving.0;
            let detaching = hold.backend.detach(&hold.lease, ttl);
            // What is done at its first poll may be polled outside of any runtime, where there are no timers.
            let detached = if immediate { detaching.await } else { limited(CALL_LIMIT, detaching).await };
            if let Err(error) = &detached {
                tracing::warn!(key = %hold.lease.key, %error, "could not prolong a lease that was given away");
            }
            detached
        };
        if let Err(job) = self.finish_inline(job) {
            self.finish(job, caller, "could not give a lease away");
        }
    }

    /// Does a job on the background thread; a blocking caller waits for it.
    fn finish<F>(&self, job: F, caller: Caller, failure: &str)
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match background::spawn_before_exit(job) {
            // On the background thread itself, waiting for it would never end.
            Ok(job) if caller == Caller::Blocking && !background::is_current() => drop(park::block_on(job)),
            Ok(_) => {}
            Err(error) => tracing::warn!(key = %self.lease.key, %error, "{failure}"),
        }
    }

    fn lost_error(&self) -> Error {
        Error::Lost { key: self.lease.key.clone() }
    }
}

/// A release on the runtime of its caller; dropped, it is done on the background thread.
struct OnTheWay<F: Future<Output = Result<bool, Fault>> + Send + 'static> {
    here: Answer<'static, bool>,
    job: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Result<bool, Fault>> + Send + 'static> Drop for OnTheWay<F> {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        let nothing: Answer<'static, bool> = Box::pin(async { Ok(false) });
        let here = std::mem::replace(&mut self.here, nothing);
        let done = background::spawn_before_exit(async move {
            // What was sent is not to arrive after what comes next.
            drop(limited(SHORT_LIMIT, here).await);
            job.await
        });
        if let Err(error) = done {
            tracing::warn!(%error, "release failed");
        }
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

/// Leaves the turn also when the job is dropped or panics.
struct Leaving(Arc<Leased>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
        self.0.give_back_again_if_doubtful();
    }
}

/// Releases some times more what an old request may still take, after everything else has let go of it.
pub(crate) fn give_back_again(backend: &Arc<dyn Backend>, lease: &Lease) {
    let (backend, lease) = (Arc::clone(backend), lease.clone());
    let job = background::spawn(async move {
        for pause in AGAIN_AFTER {
            tokio::time::sleep(pause).await;
            drop(limited(CALL_LIMIT, backend.release(&lease)).await);
        }
    });
    if let Err(error) = job {
        tracing::warn!(%error, "could not look after a request whose answer was lost");
    }
}

/// Gives a lease back: the owner is checked, so that it does no harm if it is somebody else's by now.
pub(crate) async fn give_back(backend: &dyn Backend, lease: &Lease) -> Result<bool, Fault> {
    // What is done at its first poll may be polled outside of any runtime, where there are no timers.
    let answer = if backend.capabilities().immediate {
        backend.release(lease).await
    } else {
        limited(CALL_LIMIT, persistently(backend, lease)).await
    };
    if let Err(fault) = &answer {
        tracing::warn!(key = %lease.key, error = %fault, "release failed; the lease ends by its ttl");
    }
    answer
}

/// Tries again for a moment where the store fails.
async fn persistently(backend: &dyn Backend, lease: &Lease) -> Result<bool, Fault> {
    const TRIES: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut tries, mut doubtful) = (1, false);
    loop {
        match backend.release(lease).await {
            Err(fault) if tries < TRIES => {
                doubtful |= fault.may_have_executed();
                tracing::debug!(key = %lease.key, error = %fault, tries, "release failed, trying again");
                tokio::time::sleep(PAUSE * tries).await;
                tries += 1;
            }
            // What is not there any more was given back by the try whose answer got lost.
            answer => return answer.map(|released| released || doubtful),
        }
    }
}
