//! SQLite, beyond what every backend keeps: which files it takes, transactions of others, processes killed in the middle of
//! a write, shares of greedy processes, and tokens whatever becomes of the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod crash;
mod files;
mod keys;
mod locked;
mod scene;
mod shares;
mod tokens;
