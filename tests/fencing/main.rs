//! A write that comes too late is refused by what it is written to: one's own store, Redis, a database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod checker;
mod redis;
mod scene;
mod sql;
