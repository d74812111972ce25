//! Stand-in until the configuration of the process-wide locker lands.

use std::sync::OnceLock;

use lock_core::{Error, Key, Lock, Locker, Result};

static GLOBAL: OnceLock<Locker> = OnceLock::new();

/// The locker of `#[lock]` and `lock("key")`.
pub fn global() -> Result<&'static Locker> {
    let opened = Locker::open("memory://")?;
    Ok(GLOBAL.get_or_init(|| opened))
}

/// A lock of the global locker.
pub fn lock(key: impl Into<Key>) -> Lock {
    match global() {
        Ok(locker) => locker.lock(key),
        Err(error) => Lock::failed(error),
    }
}

/// A locker by the name it has in the configuration.
pub fn locker(name: &str) -> Result<Locker> {
    Err(Error::config(format!("there is no locker named `{name}`")))
}
