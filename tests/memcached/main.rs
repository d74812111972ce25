//! Memcached: what is stored and what it costs; its clock, which may stand still; a server without room, without memory of
//! what was, or behind a network that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod cost;
mod faults;
mod life;
mod room;
mod scene;
mod shares;
mod stored;
