//! Which locker a call goes to.

use std::sync::{Arc, LazyLock};

use lock_core::{Error, Key, Lock, Locker};

/// What `using = EXPR` accepts.
#[diagnostic::on_unimplemented(
    message = "`using` takes the name of a configured locker, or a `&Locker`",
    label = "neither a name nor a locker"
)]
pub trait Using {
    /// A lock of that locker; a locker that cannot be had is reported when the lock is used.
    fn lock(&self, key: Key) -> Lock;
}

/// The global locker.
#[derive(Debug)]
pub struct Global;

/// The lock of a call.
pub fn lock(using: &(impl Using + ?Sized), key: impl Into<Key>) -> Lock {
    using.lock(key.into())
}

impl Using for Global {
    fn lock(&self, key: Key) -> Lock {
        crate::lock(key)
    }
}

impl Using for str {
    fn lock(&self, key: Key) -> Lock {
        match crate::locker(self) {
            Ok(locker) => locker.lock(key),
            Err(error) => Lock::failed(error),
        }
    }
}

impl Using for String {
    fn lock(&self, key: Key) -> Lock {
        self.as_str().lock(key)
    }
}

impl Using for Locker {
    fn lock(&self, key: Key) -> Lock {
        Locker::lock(self, key)
    }
}

impl<U: Using + ?Sized> Using for &U {
    fn lock(&self, key: Key) -> Lock {
        (**self).lock(key)
    }
}

impl<U: Using + ?Sized> Using for Arc<U> {
    fn lock(&self, key: Key) -> Lock {
        (**self).lock(key)
    }
}

impl<U: Using> Using for LazyLock<U> {
    fn lock(&self, key: Key) -> Lock {
        (**self).lock(key)
    }
}

impl<U: Using> Using for Result<U, Error> {
    fn lock(&self, key: Key) -> Lock {
        match self {
            Ok(locker) => locker.lock(key),
            Err(error) => Lock::failed(error.clone()),
        }
    }
}
