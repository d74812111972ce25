//! How a lock is wanted.

use std::time::Duration;

use super::{Lock, Target};
use crate::{
    backend::Mode,
    error::Error,
    fields::Named,
    lease::{Owner, Ttl},
    wait::{Patience, Retry},
};

impl Lock {
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
    ///
    /// The first looks after a refusal, and those while the lock goes from hand to hand, come sooner: from a sixteenth of
    /// it on, each pause twice as long as the last.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locker::Locker;

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
}
