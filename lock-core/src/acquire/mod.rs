//! From a wish to a guard: the turn of this process's queue first, then the backend.
//!
//! What may interleave: the caller may go away at any point (a dropped future), time may run out, and the backend may
//! be slow, refuse, or answer nothing. The turn and the lease are therefore each in the hands of exactly one value
//! whose drop gives it back, and everything that was sent to a backend is followed to its end by [`search`] on the
//! background thread, whoever still waits for it.

mod clean_up;
mod search;
mod shortcuts;

use std::{
    any::Any,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::{sync::oneshot, task::JoinHandle};

use self::search::Search;
use crate::{
    backend::{Attempt, Backend, Capabilities, Fault, Mode, Request},
    backends::memory,
    background,
    clock::Moment,
    error::{Error, Result},
    guard::Guard,
    hold::{Hold, InProcess, Kept, Leased},
    lease::{Holder, Lease, Owner, Ttl},
    lock::{Options, Target},
    locker::{CALL_LIMIT, Store, limited},
    park,
    queue::{Queue, Seat, Turn},
    race::{Either, race},
    scope,
    wait::Patience,
};

/// How often an adoption that fails is tried, and the pause in between.
const ADOPTIONS: u32 = 3;
const ADOPTION_PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Who acquires, which decides how its guard may release when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Blocking,
    Async,
}

/// An uncontended lock of `memory://` with ordinary options; `None` for all that takes longer to decide.
#[inline]
pub(crate) fn at_once(target: &Arc<Target>, options: &Options, caller: Caller) -> Option<Guard> {
    let Store::Memory(queue) = target.locker.store() else { return None };
    if !options.renew || options.owner.is_some() || options.mode != Mode::Exclusive {
        return None;
    }
    let Seat::Given(turn) = queue.try_enter(&target.key) else { return None };
    let hold = InProcess::lasting(Arc::clone(target), turn, options.ttl);
    Some(Guard::new(Hold::InProcess(hold), options.release_on_drop, caller))
}

pub(crate) fn blocking(target: &Arc<Target>, options: &Options) -> Result<Guard> {
    let deadline = options.patience.deadline();
    park::block_on_until(acquire(target, options, deadline, Caller::Blocking), deadline)
}

pub(crate) async fn waiting(target: &Arc<Target>, options: &Options) -> Result<Guard> {
    acquire(target, options, options.patience.deadline(), Caller::Async).await
}

async fn acquire(
    target: &Arc<Target>,
    options: &Options,
    deadline: Option<Instant>,
    caller: Caller,
) -> Result<Guard> {
    check(target, options)?;
    let queue = target.locker.queue();
    let turn = Taken::new(target, take_turn(target, options, deadline, caller).await?);
    let parcel = if let Store::Memory(_) = target.locker.store() { None } else { turn.parcel() };
    let unfit = match parcel {
        Some(kept) if kept.fits(options) => {
            let hold = Leased::handed_over(kept, turn.keep())?;
            return Ok(Guard::new(Hold::Leased(hold), options.release_on_drop, caller));
        }
        unfit => unfit,
    };
    let (backend, owner) = match target.locker.store() {
        Store::Memory(_) => return in_process(target, options, turn, queue, caller),
        Store::Backend(_, backend) => (backend, options.owner.clone().map_or_else(Owner::random, Ok)?),
    };
    let mut request = Request::exclusive(target.key().clone(), owner, options.ttl);
    request.mode = options.mode;
    request.give_way = options.patience != Patience::None;
    let mut search = Search::new(Arc::clone(backend), request, turn, options, deadline, caller);
    let looked = match caller {
        // It has to be given back first.
        _ if unfit.is_some() => {
            search.give_back_first(unfit)?;
            None
        }
        _ if backend.capabilities().immediate => search.look_here(),
        Caller::Blocking => search.look_blocking(),
        Caller::Async => search.look_on_the_way().await,
    };
    match looked {
        Some(Ok(Some(guard))) => return Ok(guard),
        Some(Ok(None)) if options.patience == Patience::None => return Err(search.refused()),
        Some(Err(error)) => return Err(error),
        Some(Ok(None)) | None => {}
    }
    let (mut answer, result) = oneshot::channel();
    let searching = background::spawn(async move {
        let found = race(search.run(), answer.closed()).await;
        // First, for the next call of this process not to be refused because of this one.
        let clean_up = search.clean_up();
        if let Either::First(found) = found {
            // A guard that nobody takes any more releases itself when it is dropped here.
            drop(answer.send(found));
        }
        if let Some(clean_up) = clean_up {
            clean_up.await;
        }
    })?;
    let unfinished = Unfinished(Some(searching));
    let result = result.await;
    unfinished.finished();
    result.unwrap_or_else(|_| {
        Err(Error::Backend {
            key: target.key().clone(),
            operation: "acquire",
            source: Arc::from(Box::from("the search for it crashed")),
            retryable: false,
        })
    })
}

/// A search that somebody waits for; dropped before its end, the end of the process waits for its clean-up.
struct Unfinished(Option<JoinHandle<()>>);

impl Unfinished {
    fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(searching) = self.0.take() else { return };
        // Its own receiver is dropped after this, which ends it.
        let followed = background::spawn_before_exit(async move { drop(searching.await) });
        if let Err(error) = followed {
            tracing::warn!(%error, "no background thread to clean up after an acquire");
        }
    }
}

/// What can be refused before anything is asked of anybody.
pub(crate) fn check(target: &Target, options: &Options) -> Result<()> {
    let capabilities = match target.locker.store() {
        Store::Memory(_) => Capabilities::default(),
        Store::Backend(_, backend) => backend.capabilities(),
    };
    match options.mode {
        Mode::Shared if !capabilities.shared => {
            return Err(Error::unsupported("shared locks come with a later release"));
        }
        Mode::Permits(_) if !capabilities.permits => {
            return Err(Error::unsupported("locks with permits come with a later release"));
        }
        _ => {}
    }
    check_ttl(options.ttl, &capabilities)
}

pub(crate) fn check_ttl(ttl: Ttl, capabilities: &Capabilities) -> Result<()> {
    let (min, max) = (capabilities.ttl_min.get(), capabilities.ttl_max.get());
    if (min..=max).contains(&ttl.get()) {
        return Ok(());
    }
    let text = humantime::format_duration;
    Err(Error::config(format!(
        "ttl {} is out of range: this backend accepts {} to {}",
        text(ttl.get()),
        text(min),
        text(max)
    )))
}

/// Waits in line for the turn of this process.
async fn take_turn(
    target: &Arc<Target>,
    options: &Options,
    deadline: Option<Instant>,
    caller: Caller,
) -> Result<Turn> {
    let queue = target.locker.queue();
    let patient = options.patience != Patience::None;
    let mut seat = queue.try_enter(&target.key);
    // What is in this process only is a forked child's own copy, and held as its parent's is.
    let in_backend = matches!(target.locker.store(), Store::Backend(..));
    if matches!(seat, Seat::Taken { .. }) && in_backend && queue.forget_parents() {
        seat = queue.try_enter(&target.key);
    }
    let releasing = match seat {
        Seat::Given(turn) => return Ok(turn),
        Seat::Taken { releasing } => releasing,
    };
    if !patient && !releasing {
        return Err(Error::Locked { key: target.key().clone(), holder: local_holder(target) });
    }
    if patient && !releasing && scope::is_inside(target.locker.identity(), target.key()) {
        return Err(Error::WouldDeadlock { key: target.key().clone() });
    }
    // A release that is on its way is waited for also by a call that does not wait: it came first.
    let deadline = if patient { deadline } else { Some(Instant::now() + CALL_LIMIT) };
    let mut timer = Timer::new(deadline, caller, patient)?;
    let entering = race(queue.enter(&target.key), poll_fn(|context| timer.poll(context))).await;
    match entering {
        Either::First(turn) => Ok(turn),
        Either::Second(()) if patient => Err(timeout(target, options, local_holder(target))),
        Either::Second(()) => Err(Error::Locked { key: target.key().clone(), holder: None }),
    }
}

fn local_holder(target: &Target) -> Option<Box<Holder>> {
    match target.locker.store() {
        Store::Memory(queue) => memory::holder(queue, &target.key).map(Box::new),
        // Not worth a round trip.
        Store::Backend(_, backend) if !backend.capabilities().immediate => None,
        Store::Backend(_, backend) => {
            let mut asked = backend.holder(target.key());
            match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(holder)) => holder.map(Box::new),
                Poll::Ready(Err(_)) | Poll::Pending => None,
            }
        }
    }
}

pub(crate) fn timeout(target: &Target, options: &Options, holder: Option<Box<Holder>>) -> Error {
    let waited = match options.patience {
        Patience::For(limit) => limit,
        _ => CALL_LIMIT,
    };
    Error::Timeout { key: target.key().clone(), waited, holder }
}

fn in_process(
    target: &Arc<Target>,
    options: &Options,
    taken: Taken,
    queue: &Queue,
    caller: Caller,
) -> Result<Guard> {
    let turn = taken.keep();
    if let Some(owner) = &options.owner {
        queue.set_owner(&target.key, turn, owner.clone());
    }
    let target = Arc::clone(target);
    let hold = if options.renew {
        InProcess::lasting(target, turn, options.ttl)
    } else {
        InProcess::ending(target, turn, options.ttl)?
    };
    Ok(Guard::new(Hold::InProcess(hold), options.release_on_drop, caller))
}

fn leased(
    target: &Arc<Target>,
    options: &Options,
    backend: &Arc<dyn Backend>,
    granted: (Lease, Moment),
    turn: Option<Turn>,
    caller: Caller,
) -> Result<(Arc<Leased>, Guard)> {
    let (lease, sent) = granted;
    let hold = Leased::new(Arc::clone(target), Arc::clone(backend), lease, turn, sent, options.renew)?;
    if options.owner.is_some() {
        hold.tell_owner();
    }
    let guard = Guard::new(Hold::Leased(Arc::clone(&hold)), options.release_on_drop, caller);
    Ok((hold, guard))
}

/// Takes over the lease of an owner; see [`Lock::adopt`](crate::Lock::adopt).
pub(crate) async fn adopt(
    target: &Arc<Target>,
    options: &Options,
    owner: Owner,
    caller: Caller,
) -> Result<Guard> {
    let key = || target.key().clone();
    let backend = match target.locker.store() {
        Store::Memory(queue) => {
            let (turn, _) = queue.current(&target.key).ok_or_else(|| Error::Lost { key: key() })?;
            if memory::owner(queue, &target.key, turn) != owner {
                return Err(Error::Locked { key: key(), holder: local_holder(target) });
            }
            let turn = queue.take_over(&target.key, turn).ok_or_else(|| Error::Lost { key: key() })?;
            queue.set_owner(&target.key, turn, owner);
            return in_process(target, options, Taken::new(target, turn), queue, caller);
        }
        Store::Backend(_, backend) => backend,
    };
    let capabilities = backend.capabilities();
    check_ttl(options.ttl, &capabilities)?;
    let request = Request::exclusive(key(), owner, options.ttl);
    let (backend, options, target) = (Arc::clone(backend), options.clone(), Arc::clone(target));
    let job = background::spawn(async move {
        let (mut sent, mut tries) = (Moment::now(), 1);
        let mut answer = limited(CALL_LIMIT, backend.adopt(&request)).await;
        // It is idempotent by owner: a connection that just broke is no reason to fail.
        while tries < ADOPTIONS && answer.as_ref().is_err_and(Fault::is_retryable) {
            tokio::time::sleep(ADOPTION_PAUSE * tries).await;
            (sent, tries) = (Moment::now(), tries + 1);
            answer = limited(CALL_LIMIT, backend.adopt(&request)).await;
        }
        match answer.map_err(|fault| fault.into_error(target.key(), "adopt"))? {
            // It passed by the queue: those who wait there wait for this very lease. A guard that nobody takes any
            // more releases itself.
            Some(Attempt::Granted(lease)) => {
                let (hold, guard) = leased(&target, &options, &backend, (lease, sent), None, caller)?;
                // Whoever gave it away knows its owner.
                hold.tell_owner();
                Ok(guard)
            }
            Some(Attempt::Held { holder, .. }) => Err(Error::Locked { key: target.key().clone(), holder }),
            None => Err(Error::Lost { key: target.key().clone() }),
        }
    })?;
    job.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed).into_error(&key(), "adopt")))
}

/// A turn that goes to the next in line unless it is kept.
struct Taken {
    target: Arc<Target>,
    turn: Option<Turn>,
}

impl Taken {
    fn new(target: &Arc<Target>, turn: Turn) -> Self {
        Self { target: Arc::clone(target), turn: Some(turn) }
    }

    /// How many wait for this turn to end.
    fn waiting(&self) -> usize {
        let queue = self.target.locker.queue();
        self.turn.map_or(0, |turn| queue.waiters(&self.target.key, turn))
    }

    /// The lease that the last turn has left to this one.
    fn parcel(&self) -> Option<Kept> {
        let parcel: Box<dyn Any> = self.target.locker.queue().take_parcel(&self.target.key, self.turn?)?;
        parcel.downcast().ok().map(|kept| *kept)
    }

    fn keep(mut self) -> Turn {
        self.turn.take().unwrap_or_default()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(turn) = self.turn {
            self.target.locker.queue().leave(&self.target.key, turn);
        }
    }
}

/// Tells when a deadline has passed.
///
/// A blocked thread wakes by itself at its deadline; only async callers need a timer of the background thread.
struct Timer {
    deadline: Option<Instant>,
    sleep: Option<JoinHandle<()>>,
}

impl Timer {
    fn new(deadline: Option<Instant>, caller: Caller, patient: bool) -> Result<Self> {
        let needed = deadline.filter(|_| caller == Caller::Async || !patient);
        let sleep = needed.map(background::alarm).transpose()?;
        Ok(Self { deadline, sleep })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match (&mut self.sleep, self.deadline) {
            (Some(sleep), _) => Pin::new(sleep).poll(context).map(drop),
            (None, Some(at)) if Instant::now() >= at => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(sleep) = &self.sleep {
            sleep.abort();
        }
    }
}
