//! Models of the protocols, explored in every order in which their steps can happen.
//!
//! `cargo test -p tests --test models -- --nocapture` also tells how many states there were, and by which steps each
//! built-in mistake breaks its promise.
#![allow(clippy::panic, reason = "a test that fails panics")]

mod explored;
mod lease_on_a_server;
mod memcached;
mod rows;
