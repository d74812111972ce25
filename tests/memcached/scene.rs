//! A server, a network before it, and those who use it.

use std::time::Duration;

pub(crate) use tests::callers::*;
use tests::{scene::Stage, servers::MemcachedServer};

pub(crate) type Scene = tests::scene::Scene<MemcachedServer>;

/// The shortest that there is.
pub(crate) const TTL: Duration = MemcachedServer::LIMITS.ttl;
/// How long after its ttl a lock may still be taken.
pub(crate) const FREED: Duration = MemcachedServer::LIMITS.freed;
