//! What the attributes and blocks do when they run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod arguments;
mod asynchronous;
mod blocks;
mod futures;
mod global;
mod keys;
mod models;
mod outcome;
mod sync;

use std::sync::{LazyLock, Once};

use lock::{Config, Locker};

/// One locker for all; every test has keys of its own.
static LOCKER: LazyLock<Locker> = LazyLock::new(|| Locker::open("memory://").unwrap());

/// Sets the global locker up, for tests that use it.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let config = Config::new().url("memory://attributes").locker("jobs", "memory://jobs");
        lock::install(config.release_on_drop(false)).unwrap();
    });
}

fn is_locked(key: &str) -> bool {
    LOCKER.lock(key).is_locked().unwrap()
}
