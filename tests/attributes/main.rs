//! What the attributes and blocks do when they run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod asynchronous;
mod blocks;
mod futures;
mod keys;
mod models;
mod outcome;
mod sync;

use std::sync::LazyLock;

use lock::Locker;

/// One locker for all; every test has keys of its own.
static LOCKER: LazyLock<Locker> = LazyLock::new(|| Locker::open("memory://").unwrap());

fn is_locked(key: &str) -> bool {
    LOCKER.lock(key).is_locked().unwrap()
}
