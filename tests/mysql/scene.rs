//! A server, a network before it, and those who use it.

use std::time::Duration;

use lock::{Locker, Settings};
pub(crate) use tests::callers::*;
use tests::{scene::Stage, servers::MariaDbServer};

pub(crate) type Scene = tests::scene::Scene<MariaDbServer>;

/// How long after its ttl, or its server's return, a lock may still be taken.
pub(crate) const FREED: Duration = MariaDbServer::LIMITS.freed;

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    MariaDbServer::client(url, settings)
}
