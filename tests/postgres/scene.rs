//! A server, a network before it, and those who use it.

use std::time::Duration;

use lock::{Locker, Settings};
pub(crate) use tests::callers::*;
use tests::{scene::Stage, servers::PostgresServer};

pub(crate) type Scene = tests::scene::Scene<PostgresServer>;

/// How long after its ttl, or its server's return, a lock may still be taken.
pub(crate) const FREED: Duration = PostgresServer::LIMITS.freed;
/// How long a free lock is kept for one who does not come.
pub(crate) const WINDOW: Duration = ms(150);
/// What a waiter may need for a look, and a machine of two busy cores for all the rest, the server's work included.
pub(crate) const LOOK: Duration = PostgresServer::LIMITS.look;

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    PostgresServer::client(url, settings)
}
