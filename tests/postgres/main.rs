//! PostgreSQL, beyond what every backend keeps: what it stores and costs, poolers and permissions, and what becomes of
//! locks when the server, the network or other users of the database misbehave. Every test has a PostgreSQL of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod advisory;
mod cost;
mod faults;
mod pooled;
mod scene;
mod setup;
mod shares;
mod shortcuts;
mod stored;
mod tls;
mod transactions;
mod waiting;
