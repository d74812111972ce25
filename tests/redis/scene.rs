//! A server, a network before it, and those who use it.

use std::time::Duration;

use lock::{Locker, Settings};
pub(crate) use tests::callers::*;
use tests::{scene::Stage, servers::RedisServer};

pub(crate) type Scene = tests::scene::Scene<RedisServer>;

/// How long after its ttl, or its server's return, a lock may still be taken.
pub(crate) const FREED: Duration = RedisServer::LIMITS.freed;
/// What a waiter may need for a look, and a machine of two busy cores for all the rest.
pub(crate) const LOOK: Duration = RedisServer::LIMITS.look;

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    RedisServer::client(url, settings)
}
