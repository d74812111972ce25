//! What a case works with: lockers of the subject, and calls of the kind that it is run for.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Subject,
    executor::{Executor, Side},
    peer::Peer,
    pulse,
};
use crate::{
    config::Settings,
    error::Result,
    guard::Guard,
    lease::{Holder, Owner},
    lock::Lock,
    locker::Locker,
    race::{Either, race},
};

/// How often waiters look by themselves, in cases that do not say otherwise.
pub(super) const RETRY: Duration = Duration::from_millis(50);
/// Longer than any case that is not about leases.
const LONG: Duration = Duration::from_secs(100);

/// One run of a case.
#[derive(Clone, Debug)]
pub struct Test {
    subject: Arc<Subject>,
    executor: Arc<dyn Executor>,
    prefix: Arc<str>,
}

impl Test {
    /// A run with a prefix of its own.
    pub fn new(subject: &Subject, executor: Arc<dyn Executor>) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        pulse::start();
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("t{}-{run}-{}:", std::process::id(), crate::clock::unix_micros());
        Self { subject: Arc::new(subject.clone()), executor, prefix: prefix.into() }
    }

    /// The backend under test.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The calls that are made.
    pub fn side(&self) -> Side {
        self.executor.side()
    }

    /// The prefix of this run's keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The settings of this run's lockers.
    pub fn settings(&self) -> Settings {
        Settings {
            prefix: Some(self.prefix.to_string()),
            ttl: Some(LONG),
            retry: Some(RETRY),
            release_on_drop: None,
        }
    }

    /// Another client of the store, connected: a case measures what a lock takes, and not what a connection does.
    pub fn client(&self) -> Locker {
        let locker = self.subject.open(&self.settings()).expect("the subject's store can be opened");
        // Where it cannot be reached, the case will tell.
        drop(locker.ping());
        locker
    }

    /// Another process that uses the store.
    pub fn peer(&self) -> Peer {
        let command = self.subject.command().expect("the subject has a helper");
        Peer::start(command, &self.settings(), self.side()).expect("the helper can be started")
    }

    /// A ttl that a case can wait for.
    pub fn ttl(&self) -> Duration {
        self.subject.capabilities.ttl_min.get().max(Duration::from_millis(600))
    }

    /// How much later than its ttl a lease may be seen to end by one who looks every `retry`.
    pub fn late(&self) -> Duration {
        self.subject.capabilities.ttl_grain + RETRY * 5 / 4 + Duration::from_millis(50)
    }

    /// Waits as the lock is set up.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    pub async fn acquire(&self, lock: &Lock) -> Result<Guard> {
        match self.side() {
            Side::Blocking => lock.acquire(),
            Side::Async => lock.acquire_async().await,
        }
    }

    /// One attempt.
    ///
    /// # Errors
    /// As [`Lock::try_acquire`].
    pub async fn try_acquire(&self, lock: &Lock) -> Result<Option<Guard>> {
        match self.side() {
            Side::Blocking => lock.try_acquire(),
            Side::Async => lock.try_acquire_async().await,
        }
    }

    /// Takes over a lease.
    ///
    /// # Errors
    /// As [`Lock::adopt`].
    pub async fn adopt(&self, lock: &Lock, owner: Owner) -> Result<Guard> {
        match self.side() {
            Side::Blocking => lock.adopt(owner),
            Side::Async => lock.adopt_async(owner).await,
        }
    }

    /// Gives a lock back.
    ///
    /// # Errors
    /// As [`Guard::release`].
    pub async fn release(&self, guard: &Guard) -> Result<()> {
        match self.side() {
            Side::Blocking => guard.release(),
            Side::Async => guard.release_async().await,
        }
    }

    /// Makes a lease last longer.
    ///
    /// # Errors
    /// As [`Guard::extend`].
    pub async fn extend(&self, guard: &Guard, ttl: Duration) -> Result<()> {
        match self.side() {
            Side::Blocking => guard.extend(ttl),
            Side::Async => guard.extend_async(ttl).await,
        }
    }

    /// Who holds a lock.
    ///
    /// # Errors
    /// As [`Lock::holder`].
    pub async fn holder(&self, lock: &Lock) -> Result<Option<Holder>> {
        match self.side() {
            Side::Blocking => lock.holder(),
            Side::Async => lock.holder_async().await,
        }
    }

    /// Frees a lock, whoever has it.
    ///
    /// # Errors
    /// As [`Lock::force_release`].
    pub async fn force_release(&self, lock: &Lock) -> Result<bool> {
        match self.side() {
            Side::Blocking => lock.force_release(),
            Side::Async => lock.force_release_async().await,
        }
    }

    /// Who holds any lock of a locker.
    ///
    /// # Errors
    /// As [`Locker::held`].
    pub async fn held(&self, locker: &Locker) -> Result<Vec<Holder>> {
        match self.side() {
            Side::Blocking => locker.held(),
            Side::Async => locker.held_async().await,
        }
    }

    /// Lets time pass.
    pub async fn sleep(&self, time: Duration) {
        self.executor.sleep(time).await;
    }

    /// Waits for a lock beside the rest of the case and releases it at once. Tells when it was had.
    pub(super) fn have_and_release(&self, lock: Lock) -> Joined<Instant> {
        let test = self.clone();
        self.spawn(async move {
            let guard = test.acquire(&lock).await.unwrap();
            let had = Instant::now();
            test.release(&guard).await.unwrap();
            had
        })
    }

    /// Runs a part of the case beside the rest: in a thread, or as a task.
    pub fn spawn<T: Send + 'static>(&self, part: impl Future<Output = T> + Send + 'static) -> Joined<T> {
        let (answer, result) = oneshot::channel();
        self.executor.spawn(Box::pin(async move {
            let mut part = pin!(part);
            let ended =
                poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| part.as_mut().poll(context))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
                    Err(panic) => Poll::Ready(Err(panic)),
                });
            // A case that has failed already does not wait for its parts.
            drop(answer.send(ended.await));
        }));
        Joined(result)
    }

    /// Whether the loss of a lock is told within some time.
    pub async fn is_lost_within(&self, guard: &Guard, time: Duration) -> bool {
        matches!(race(guard.lost(), self.sleep(time)).await, Either::First(()))
    }

    /// Whatever is ready first; `None` when the time has passed.
    pub async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        match race(future, self.sleep(time)).await {
            Either::First(value) => Some(value),
            Either::Second(()) => None,
        }
    }

    /// Runs a scene that only says something if the machine lets this process run; again if it did not.
    ///
    /// # Panics
    /// With what the scene says is wrong.
    pub async fn undisturbed<F: Future<Output = std::result::Result<(), String>>>(
        &self,
        patience: Duration,
        mut scene: impl FnMut(u32) -> F,
    ) {
        for round in 0.. {
            let begin = Instant::now();
            let Err(wrong) = scene(round).await else { return };
            let stalled = pulse::stalled_since(begin);
            assert!(stalled > patience && round < 5, "{wrong} (stalled for {stalled:?} meanwhile)");
        }
    }

    /// Nobody holds the lock any more, and anybody can have it.
    ///
    /// # Panics
    /// If it is not so within a moment.
    pub async fn expect_free(&self, lock: &Lock) {
        let begin = Instant::now();
        let limit = Duration::from_secs(2);
        let guard = self.acquire(&lock.clone().wait(limit)).await;
        let stalled = pulse::stalled_since(begin);
        let guard = guard.unwrap_or_else(|error| panic!("not free (stalled for {stalled:?}): {error}"));
        self.release(&guard).await.expect("a lock just acquired can be released");
    }
}

/// A part of a case that runs beside the rest.
#[derive(Debug)]
pub struct Joined<T>(oneshot::Receiver<std::result::Result<T, Box<dyn Any + Send>>>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|ended| match ended {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(dropped) => panic!("a part of the case was dropped: {dropped}"),
        })
    }
}

/// Polls once, as an executor does that then has something better to do.
pub(super) fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
