//! A lease in the hands of running code.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    acquire::Caller,
    error::{Error, Result},
    hold::Hold,
    key::Key,
    lease::{FencingToken, Owner, Ttl},
    lock::Target,
    park,
    scope::{Scope, Scoped},
    signal::{Signal, Waiting},
};

/// A held lock. It is released when this is dropped.
///
/// ```
/// use lock_core::Locker;
///
/// let locker = Locker::open("memory://doc-guard")?;
/// let guard = locker.lock("report").acquire()?;
/// println!("writing under token {}", guard.fencing_token());
/// guard.check()?;       // still ours?
/// guard.release()?;     // or just drop it
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// # Dropping
/// A guard that was acquired by a blocking call waits until its release is done, 6 s at most. One acquired in async
/// code hands its release to the background thread and never blocks. Neither panics, and a release that fails is
/// reported as a `tracing` event; the lease then ends by its ttl. With
/// [`release_on_drop(false)`](crate::Lock::release_on_drop) the lock is left to end by its ttl.
///
/// # Forks
/// A forked child has a copy of the guard and not of the lock, which stays its parent's: there, the guard is not held, and
/// dropping it does nothing. On `memory://`, whose locks are those of one process, the child has a copy of both.
#[must_use = "the lock is released at once when the guard is not bound to a variable"]
pub struct Guard {
    hold: Hold,
    release_on_drop: bool,
    caller: Caller,
}

impl Guard {
    #[inline]
    pub(crate) const fn new(hold: Hold, release_on_drop: bool, caller: Caller) -> Self {
        Self { hold, release_on_drop, caller }
    }

    /// The key, prefix included.
    pub fn key(&self) -> &str {
        self.name().as_str()
    }

    /// The owner of this very hold.
    pub fn owner(&self) -> Owner {
        self.hold.owner()
    }

    /// Higher than the token of every earlier hold of this key; see [`FencingToken`].
    pub fn fencing_token(&self) -> FencingToken {
        self.hold.fencing_token()
    }

    /// How long the lock is certainly ours if nothing more is done about it; zero if it is lost.
    ///
    /// Counted on this machine's clock from before the lease was asked for, less a margin of 1 % of the ttl and at
    /// least 20 ms. Where a lease is bound to its process and does not run out, this is its whole ttl.
    pub fn remaining(&self) -> Duration {
        self.hold.remaining()
    }

    /// Whether the lock is still ours, by the local clock, without asking the store.
    pub fn is_held(&self) -> bool {
        self.hold.is_held()
    }

    /// Like [`is_held`](Self::is_held), as a result to use with `?`.
    ///
    /// # Errors
    /// [`Error::Lost`] if it is not ours any more.
    pub fn check(&self) -> Result<()> {
        if self.is_held() { Ok(()) } else { Err(self.lost_error()) }
    }

    /// Resolves when the lease is lost; never when it is released.
    ///
    /// ```
    /// # use lock_core::Locker;
    /// # async fn work() {}
    /// # async fn f(guard: &lock_core::Guard) -> Result<(), lock_core::Error> {
    /// // What `#[lock]` does around an async body:
    /// guard.run(work()).await?;
    /// # Ok(()) }
    /// ```
    pub fn lost(&self) -> Lost<'_> {
        Lost { waiting: self.hold.signal().map(Waiting::new), guard: self }
    }

    /// Runs `body` to its end, or drops it when the lease is lost.
    ///
    /// # Errors
    /// [`Error::Lost`] if it was dropped.
    pub async fn run<F: Future>(&self, body: F) -> Result<F::Output> {
        let mut body = pin!(body);
        // Most bodies of a short lock are done before a wait for the loss is worth setting up.
        let mut lost = None;
        poll_fn(|context| {
            if let Poll::Ready(value) = body.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            let lost = Pin::new(lost.get_or_insert_with(|| self.lost()));
            lost.poll(context).map(|()| Err(self.lost_error()))
        })
        .await
    }

    /// Makes the lease last `ttl` from now on: 100 ms to 10 years.
    ///
    /// # Errors
    /// [`Error::Lost`] if it is not ours any more, [`Error::Config`] for a ttl out of range, [`Error::Backend`] if
    /// the store does not answer; the deadline then stays where it was.
    pub fn extend(&self, ttl: Duration) -> Result<()> {
        park::block_on(self.extend_async(ttl))
    }

    /// [`extend`](Self::extend), in async code.
    ///
    /// # Errors
    /// As [`extend`](Self::extend).
    pub async fn extend_async(&self, ttl: Duration) -> Result<()> {
        self.hold.extend(Ttl::new(ttl)?).await
    }

    /// Gives the lock back. Doing so again is fine and does nothing.
    ///
    /// # Errors
    /// [`Error::Lost`] if it was not ours any more: somebody else may have held it meanwhile. [`Error::Backend`] if
    /// the store does not answer; the lease then ends by its ttl.
    pub fn release(&self) -> Result<()> {
        park::block_on(self.hold.release(Caller::Blocking))
    }

    /// [`release`](Self::release), in async code. The release happens even if this future is dropped.
    ///
    /// # Errors
    /// As [`release`](Self::release).
    pub async fn release_async(&self) -> Result<()> {
        self.hold.release(Caller::Async).await
    }

    /// Keeps the lease and gives up the guard: whoever is told the owner can [`adopt`](crate::Lock::adopt) it, also in
    /// another process where the backend can hand over. It is not renewed meanwhile and ends by its ttl.
    pub fn into_owner(mut self) -> Owner {
        let owner = self.owner();
        self.hold.detach(self.caller);
        self.release_on_drop = false;
        owner
    }

    /// Marks the rest of this thread's call as inside of the lock, until the scope is dropped.
    ///
    /// Acquiring the same key inside of it is [`Error::WouldDeadlock`] instead of a wait without end.
    #[doc(hidden)]
    pub fn enter_scope(&self) -> Scope {
        Scope::enter(self.target().place())
    }

    /// Marks `body` as inside of the lock, whenever it is polled.
    #[doc(hidden)]
    pub fn scoped<F: Future>(&self, body: F) -> Scoped<F> {
        Scoped::new(self.target().place(), body)
    }

    /// [`release`](Self::release) where nobody can be told that it failed.
    #[doc(hidden)]
    pub fn release_quietly(&self) {
        self.hold.release_now(Caller::Blocking);
    }

    /// [`release_async`](Self::release_async) where nobody can be told that it failed.
    #[doc(hidden)]
    pub async fn release_quietly_async(&self) {
        if let Err(error) = self.release_async().await {
            tracing::warn!(key = self.key(), %error, "release failed");
        }
    }

    fn name(&self) -> &Key {
        self.target().key()
    }

    fn target(&self) -> &Arc<Target> {
        self.hold.target()
    }

    fn lost_error(&self) -> Error {
        Error::Lost { key: self.name().clone() }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if self.release_on_drop {
            self.hold.release_now(self.caller);
        } else {
            self.hold.detach(self.caller);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("key", self.name())
            .field("fencing_token", &self.fencing_token())
            .field("held", &self.is_held())
            .finish_non_exhaustive()
    }
}

/// The wait for the loss of a lease: [`Guard::lost`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct Lost<'a> {
    guard: &'a Guard,
    /// `None`: there was nothing left to lose when it was asked for.
    waiting: Option<Waiting<Arc<Signal>>>,
}

impl Future for Lost<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { guard, waiting } = self.get_mut();
        match waiting {
            Some(waiting) => Pin::new(waiting).poll(context),
            None if guard.hold.is_released() => Poll::Pending,
            None => Poll::Ready(()),
        }
    }
}
