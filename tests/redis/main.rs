//! Redis, beyond what every backend keeps: what it stores, what it costs the server, and what becomes of locks when the
//! server, the network or other clients misbehave. Every test has a `redis-server` of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod access;
mod busy;
mod connections;
mod cost;
mod crowds;
mod faults;
mod fencing;
mod full;
mod handover;
mod holders;
mod mixed_fleet;
mod scene;
mod shares;
mod stored;
mod tls;
mod waiting;
