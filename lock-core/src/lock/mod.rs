//! A lock that can be acquired: a key of a locker, and how it is wanted.

mod holder;
#[cfg(feature = "postgres")]
mod in_transaction;
mod setters;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    acquire::{self, Caller},
    backend::Mode,
    config::Resolved,
    error::{Error, Result},
    fields::{Fields, Named},
    guard::Guard,
    key::Key,
    lease::{Owner, Ttl},
    locker::Locker,
    park,
    queue::Hashed,
    scope::Place,
    wait::{Patience, Retry},
};

/// A lock that can be acquired, as often as you like.
///
/// ```
/// use std::time::Duration;
/// use lock_core::Locker;
///
/// let locker = Locker::open("memory://doc-lock")?;
/// let lock = locker.lock("report").ttl(Duration::from_secs(10)).wait(Duration::from_secs(1));
/// let guard = lock.acquire()?;          // waits for a second at most
/// assert!(lock.is_locked()?);
/// drop(guard);
/// assert!(lock.try_acquire()?.is_some());
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// Building one does nothing and never fails; a key or a setting that cannot be is reported by the first call that
/// would use it. The setters take and return the lock; a clone is independent of its original.
#[derive(Clone)]
#[must_use = "a lock protects nothing until it is acquired"]
pub struct Lock {
    target: Result<Arc<Target>>,
    options: Options,
    named: Option<Box<Named>>,
}

/// A key of a locker.
pub(crate) struct Target {
    pub(crate) locker: Locker,
    pub(crate) key: Hashed,
}

impl Target {
    fn new(locker: &Locker, name: &Key) -> Result<Arc<Self>> {
        let key = Key::qualified(&locker.settings().prefix, name)?;
        Ok(Arc::new(Self { key: locker.queue().hashed(key), locker: locker.clone() }))
    }

    pub(crate) const fn key(&self) -> &Key {
        self.key.key()
    }

    pub(crate) fn place(&self) -> Place {
        Place { locker: self.locker.identity(), key: self.key().clone() }
    }
}

/// How a lock is wanted, checked.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ttl: Ttl,
    pub(crate) retry: Retry,
    pub(crate) release_on_drop: bool,
    pub(crate) renew: bool,
    pub(crate) patience: Patience,
    /// What `wait` said last, for when blocking is switched off and on again.
    limit: Option<Duration>,
    pub(crate) mode: Mode,
    pub(crate) owner: Option<Owner>,
}

impl Options {
    fn new(settings: &Resolved) -> Self {
        Self {
            ttl: settings.ttl,
            retry: settings.retry,
            release_on_drop: settings.release_on_drop,
            renew: true,
            patience: Patience::default(),
            limit: None,
            mode: Mode::default(),
            owner: None,
        }
    }
}

impl Lock {
    pub(crate) fn new(locker: &Locker, name: &Key) -> Self {
        Self { target: Target::new(locker, name), options: Options::new(locker.settings()), named: None }
    }

    pub(crate) fn named(locker: &Locker, after: Arc<dyn Fields>) -> Self {
        let named = Named { locker: locker.clone(), after, name: None, fields: Vec::new() };
        let target = named.key().and_then(|key| Target::new(locker, &key));
        Self { target, options: Options::new(locker.settings()), named: Some(Box::new(named)) }
    }

    /// A lock whose every call fails with `error`: what stands for a locker that could not be opened.
    #[doc(hidden)]
    pub fn failed(error: Error) -> Self {
        Self { target: Err(error), options: Options::new(&Resolved::default()), named: None }
    }

    /// Waits for the lock as it is set up, and blocks the thread meanwhile.
    ///
    /// One who waits for a guard of its own waits for ever, as with any mutex. Inside of [`with`](Self::with) and of
    /// the attributes this is noticed, and an error.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is held and blocking is off, [`Error::Timeout`] if it was not free in time,
    /// [`Error::WouldDeadlock`] if this very call holds it, [`Error::InvalidKey`] and [`Error::Config`] for what
    /// cannot be, [`Error::Backend`] if the store does not answer.
    #[inline]
    pub fn acquire(&self) -> Result<Guard> {
        let target = self.target()?;
        match acquire::at_once(target, &self.options, Caller::Blocking) {
            Some(guard) => Ok(guard),
            None => acquire::blocking(target, &self.options),
        }
    }

    /// Waits for the lock as it is set up, on any executor.
    ///
    /// Dropping the future at any point leaves nothing held. One that is kept without being polled, beside other branches
    /// of a `select!`, may be granted the lock meanwhile, and then holds it until it is polled or dropped.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_async(&self) -> Result<Guard> {
        let target = self.target()?;
        match acquire::at_once(target, &self.options, Caller::Async) {
            Some(guard) => Ok(guard),
            None => acquire::waiting(target, &self.options).await,
        }
    }

    /// One attempt. `None`: somebody else has it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), less that it is held.
    pub fn try_acquire(&self) -> Result<Option<Guard>> {
        unless_locked(self.clone().blocking(false).acquire())
    }

    /// One attempt, in async code. `None`: somebody else has it.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_async(&self) -> Result<Option<Guard>> {
        unless_locked(self.clone().blocking(false).acquire_async().await)
    }

    /// Runs `body` while holding the lock, and releases it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); then `body` has not run.
    pub fn with<T>(&self, body: impl FnOnce(&Guard) -> T) -> Result<T> {
        let guard = self.acquire()?;
        let value = {
            let _scope = guard.enter_scope();
            body(&guard)
        };
        guard.release_quietly();
        Ok(value)
    }

    /// Runs `body` while holding the lock, and releases it; cancels it when the lease is lost.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); then `body` has not run. [`Error::Lost`] if it was cancelled.
    pub async fn with_async<T>(&self, body: impl AsyncFnOnce(&Guard) -> T) -> Result<T> {
        let guard = self.acquire_async().await?;
        let value = guard.run(guard.scoped(body(&guard))).await?;
        guard.release_quietly_async().await;
        Ok(value)
    }

    /// Takes over the lease that `owner` holds, as it was given away by [`Guard::into_owner`], maybe in another process.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody else holds the key, [`Error::Lost`] if nobody does any more,
    /// [`Error::Unsupported`] if the backend cannot hand over, and otherwise as [`acquire`](Self::acquire).
    pub fn adopt(&self, owner: Owner) -> Result<Guard> {
        park::block_on(acquire::adopt(self.target()?, &self.options, owner, acquire::Caller::Blocking))
    }

    /// [`adopt`](Self::adopt), in async code.
    ///
    /// # Errors
    /// As [`adopt`](Self::adopt).
    pub async fn adopt_async(&self, owner: Owner) -> Result<Guard> {
        acquire::adopt(self.target()?, &self.options, owner, acquire::Caller::Async).await
    }

    fn target(&self) -> Result<&Arc<Target>> {
        self.target.as_ref().map_err(Error::clone)
    }
}

fn unless_locked(result: Result<Guard>) -> Result<Option<Guard>> {
    match result {
        Ok(guard) => Ok(Some(guard)),
        Err(Error::Locked { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lock");
        match &self.target {
            Ok(target) => shown.field("key", target.key()).field("locker", &target.locker),
            Err(error) => shown.field("error", error),
        };
        shown.field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocking_lock_with_a_limit_gives_up() {
        let lock = Locker::open("memory://lock-limit").unwrap().lock("k");
        let _held = lock.acquire().unwrap();
        let late = lock.clone().wait(Duration::from_millis(10)).blocking(true).acquire();
        assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    }
}
