//! A lock that can be acquired: a key of a locker, and how it is wanted.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    acquire::{self, Caller},
    backend::Mode,
    backends::memory,
    background,
    config::Resolved,
    error::{Error, Result},
    fields::{Fields, Named},
    guard::Guard,
    key::Key,
    lease::{Holder, Owner, Ttl},
    locker::{self, Locker, Store},
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

    /// Locks a model by this field instead of its primary key; called again, by several.
    ///
    /// For the lock of a model. On any other, and for a field that does not exist, acquiring is [`Error::Config`].
    pub fn field(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.rename("field", |named| named.fields.push(name))
    }

    /// Another first part of a model's key than its name.
    ///
    /// For the lock of a model. On any other, acquiring is [`Error::Config`].
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.rename("name", |named| named.name = Some(name))
    }

    fn rename(mut self, setter: &str, change: impl FnOnce(&mut Named)) -> Self {
        match &mut self.named {
            Some(named) if self.target.is_ok() => {
                change(named);
                self.target = named.key().and_then(|key| Target::new(&named.locker, &key));
            }
            Some(_) => {}
            None => self.refuse(Error::config(format!(
                "{setter}(..) on a lock that is not a model's; accepted is one made by lock_model(&model)"
            ))),
        }
        self
    }

    /// How long the lock outlives a holder that died: 100 ms to 10 years. Default: the locker's, 30 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        match Ttl::new(ttl) {
            Ok(ttl) => self.options.ttl = ttl,
            Err(error) => self.refuse(error),
        }
        self
    }

    /// Whether the lease is renewed while the guard lives. Default: yes.
    ///
    /// Without renewal the lock is lost when the ttl has passed.
    pub const fn renew(mut self, renew: bool) -> Self {
        self.options.renew = renew;
        self
    }

    /// Whether [`acquire`](Self::acquire) waits for a lock that is held. Default: yes, without limit.
    ///
    /// Switching it on keeps the limit of [`wait`](Self::wait).
    pub const fn blocking(mut self, blocking: bool) -> Self {
        self.options.patience = match (blocking, self.options.limit) {
            (false, _) => Patience::None,
            (true, Some(limit)) => Patience::For(limit),
            (true, None) => Patience::Endless,
        };
        self
    }

    /// The longest to wait: all attempts and queues together, with a last attempt at the end. Default: no limit.
    ///
    /// Switches [`blocking`](Self::blocking) on.
    pub const fn wait(mut self, limit: Duration) -> Self {
        self.options.limit = Some(limit);
        self.options.patience = Patience::For(limit);
        self
    }

    /// How often to look again where nothing can notify: 1 ms to 1 hour. Default: the locker's, 100 ms.
    pub fn retry(mut self, interval: Duration) -> Self {
        match Retry::new(interval) {
            Ok(retry) => self.options.retry = retry,
            Err(error) => self.refuse(error),
        }
        self
    }

    /// Whether dropping the guard releases the lock. Default: the locker's, yes.
    ///
    /// If not, a dropped guard is no longer renewed, and its lock is free when the ttl has passed.
    pub const fn release_on_drop(mut self, release: bool) -> Self {
        self.options.release_on_drop = release;
        self
    }

    /// The owner to acquire it as, instead of a random one.
    ///
    /// Whoever acquires a key under the owner that holds it already is granted it again. Only for tokens that are
    /// new for every acquisition: with a constant, a late release frees the next hold.
    pub fn owner(mut self, owner: Owner) -> Self {
        self.options.owner = Some(owner);
        self
    }

    /// Together with other readers. Not supported by any backend yet: acquiring is [`Error::Unsupported`].
    pub const fn shared(mut self) -> Self {
        self.options.mode = Mode::Shared;
        self
    }

    /// By at most so many holders at once. Not supported by any backend yet: acquiring is [`Error::Unsupported`].
    pub const fn permits(mut self, permits: u32) -> Self {
        self.options.mode = Mode::Permits(permits);
        self
    }

    /// A call nested in a holder of the same key goes through. Not supported yet: acquiring is [`Error::Unsupported`].
    pub fn reentrant(mut self) -> Self {
        self.refuse(Error::unsupported("reentrant locks come with a later release"));
        self
    }

    /// Strictly first come, first served across processes. Not supported yet: acquiring is [`Error::Unsupported`].
    pub fn fair(mut self) -> Self {
        self.refuse(Error::unsupported("fair locks come with a later release"));
        self
    }

    /// Keeps the first thing that is wrong for the call that would use it.
    fn refuse(&mut self, error: Error) {
        if self.target.is_ok() {
            self.target = Err(error);
        }
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
    /// Dropping the future at any point leaves nothing held.
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

    /// Whether anybody holds it now. By the time you read the answer it may have changed.
    ///
    /// # Errors
    /// [`Error::Backend`] if the store does not answer.
    pub fn is_locked(&self) -> Result<bool> {
        Ok(self.holder()?.is_some())
    }

    /// [`is_locked`](Self::is_locked), in async code.
    ///
    /// # Errors
    /// As [`is_locked`](Self::is_locked).
    pub async fn is_locked_async(&self) -> Result<bool> {
        Ok(self.holder_async().await?.is_some())
    }

    /// Who holds it now.
    ///
    /// # Errors
    /// [`Error::Backend`] if the store does not answer.
    pub fn holder(&self) -> Result<Option<Holder>> {
        park::block_on(self.holder_async())
    }

    /// [`holder`](Self::holder), in async code.
    ///
    /// # Errors
    /// As [`holder`](Self::holder).
    pub async fn holder_async(&self) -> Result<Option<Holder>> {
        let target = self.target()?;
        match target.locker.store() {
            Store::Memory(queue) => Ok(memory::holder(queue, &target.key)),
            Store::Backend(_, backend) => {
                let (backend, key) = (Arc::clone(backend), target.key().clone());
                locker::call(target.key(), "find the holder of", async move { backend.holder(&key).await })
                    .await
            }
        }
    }

    /// Frees it, whoever holds it: for people, when a holder hangs. Its guard is told of the loss when it next asks
    /// the store, or at its deadline.
    ///
    /// `false`: nobody held it.
    ///
    /// # Errors
    /// [`Error::Backend`] if the store does not answer.
    pub fn force_release(&self) -> Result<bool> {
        park::block_on(self.force_release_async())
    }

    /// [`force_release`](Self::force_release), in async code.
    ///
    /// # Errors
    /// As [`force_release`](Self::force_release).
    pub async fn force_release_async(&self) -> Result<bool> {
        let target = self.target()?;
        match target.locker.store() {
            Store::Memory(queue) => Ok(queue.expel(&target.key, None)),
            Store::Backend(_, backend) => {
                let (backend, key) = (Arc::clone(backend), target.key().clone());
                let forced = locker::call(target.key(), "force the release of", async move {
                    backend.force_release(&key).await
                })
                .await?;
                // A guard of this process is told at once.
                background::schedule()?.hurry(|hold| hold.is_of(target));
                Ok(forced)
            }
        }
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
    fn a_limit_survives_blocking_and_the_later_setter_wins() {
        let limit = Duration::from_millis(100);
        let lock = || Locker::open("memory://lock-patience").unwrap().lock("k");
        for (lock, patience) in [
            (lock(), Patience::Endless),
            (lock().blocking(true), Patience::Endless),
            (lock().blocking(false), Patience::None),
            (lock().blocking(false).blocking(true), Patience::Endless),
            (lock().wait(limit).blocking(true), Patience::For(limit)),
            (lock().wait(limit).blocking(false), Patience::None),
            (lock().wait(limit).blocking(false).blocking(true), Patience::For(limit)),
            (lock().blocking(false).wait(limit), Patience::For(limit)),
            (lock().blocking(true).wait(limit), Patience::For(limit)),
        ] {
            assert_eq!(lock.options.patience, patience, "{lock:?}");
        }
    }

    #[test]
    fn a_blocking_lock_with_a_limit_gives_up() {
        let lock = Locker::open("memory://lock-limit").unwrap().lock("k");
        let _held = lock.acquire().unwrap();
        let late = lock.clone().wait(Duration::from_millis(10)).blocking(true).acquire();
        assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    }
}
