//! MySQL and MariaDB, beyond what every backend keeps: what is stored and costs, permissions and settings, and what becomes
//! of locks when the server, the network or other users of the database misbehave. Every test has a MariaDB of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod cost;
mod faults;
mod scene;
mod setup;
mod shares;
mod stored;
