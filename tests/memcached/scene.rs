//! A server, a network before it, and those who use it.

use std::time::Duration;

use lock::{Locker, Settings, backends::Memcached};
use lock_core::conformance::{Peer, Side, pulse};
pub(crate) use tests::callers::{
    LONG, SIDES, acquire, eventually, lost_within, ms, release, running_since, told_of_loss,
};
use tests::{journal::Journal, proxy::Proxy, scratch::Scratch, servers::MemcachedServer, subjects::crowd};

/// The shortest that there is.
pub(crate) const TTL: Duration = Duration::from_secs(1);
/// How late a loss may be told.
pub(crate) const TELLING: Duration = ms(50);
/// How long after its ttl a lock may still be taken: a tick of the server's clock, a look of the waiter's, and what a busy
/// machine needs.
pub(crate) const FREED: Duration = ms(2250);

/// A server of a test's own, with a proxy before it and a history of holds.
pub(crate) struct Scene {
    pub(crate) proxy: Proxy,
    pub(crate) server: MemcachedServer,
    pub(crate) journal: Journal,
    pub(crate) settings: Settings,
    _scratch: Scratch,
}

impl Scene {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self::on(MemcachedServer::start(), ttl)
    }

    pub(crate) fn on(server: MemcachedServer, ttl: Duration) -> Self {
        pulse::start();
        let scratch = Scratch::new("scene");
        let journal = Journal::at(scratch.path().join("history"));
        let proxy = Proxy::before(server.port());
        let settings = Settings {
            ttl: Some(ttl),
            retry: Some(ms(20)),
            prefix: Some("lock:".into()),
            ..Settings::default()
        };
        Self { proxy, server, journal, settings, _scratch: scratch }
    }

    /// A client of its own, through the proxy.
    pub(crate) fn near(&self) -> Locker {
        client(&self.server.url_by(self.proxy.port()), &self.settings)
    }

    /// A client of its own, with nothing in between.
    pub(crate) fn far(&self) -> Locker {
        client(&self.server.url(), &self.settings)
    }

    /// A process full of callers, with nothing in between.
    pub(crate) fn crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, through the proxy.
    pub(crate) fn near_crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url_by(self.proxy.port())), &self.settings, side).unwrap()
    }

    /// Whether anybody has a key, as the server says.
    pub(crate) fn is_held(&self, key: &str) -> bool {
        self.server.ask(&format!("mg lock:{key} v")) != "EN"
    }
}

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    Locker::with_backend_and(Memcached::open(url).unwrap(), settings).unwrap()
}
