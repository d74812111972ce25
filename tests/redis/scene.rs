//! A server, a network before it, and those who use it.

use std::time::Duration;

use lock::{Locker, Settings, backends::Redis};
use lock_core::conformance::{Peer, Side, pulse};
pub(crate) use tests::callers::{
    LONG, SIDES, acquire, eventually, kill, lost_within, ms, ratio, release, running_since, side, stop,
};
use tests::{
    journal::Journal,
    proxy::Proxy,
    scratch::Scratch,
    servers::RedisServer,
    subjects::{crowd, holder},
};

/// How late a loss may be told.
pub(crate) const TELLING: Duration = Duration::from_millis(50);
/// How long after its ttl, or its server's return, a lock may still be taken.
pub(crate) const FREED: Duration = Duration::from_millis(250);
/// What a waiter may need for a look, and a machine of two busy cores for all the rest.
pub(crate) const LOOK: Duration = Duration::from_millis(150);
/// A server of a test's own, with a proxy before it and a history of holds.
pub(crate) struct Scene {
    pub(crate) proxy: Proxy,
    pub(crate) server: RedisServer,
    pub(crate) journal: Journal,
    pub(crate) settings: Settings,
    _scratch: Scratch,
}

impl Scene {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self::on(RedisServer::start(), ttl)
    }

    pub(crate) fn on(server: RedisServer, ttl: Duration) -> Self {
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

    /// Another process, with nothing in between.
    pub(crate) fn peer(&self, side: Side) -> Peer {
        Peer::start(holder(&self.server.url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, with nothing in between.
    pub(crate) fn crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, through the proxy.
    pub(crate) fn near_crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url_by(self.proxy.port())), &self.settings, side).unwrap()
    }

    /// How many wait in the server's queue of a key.
    pub(crate) fn in_line(&self, key: &str) -> i64 {
        self.server.ask(&["ZCARD", &format!("lock:{key}\u{1f}waiters")]).int()
    }

    /// Waits until so many wait in the server's queue of a key.
    pub(crate) fn wait_in_line(&self, key: &str, count: i64) {
        assert!(eventually(LONG, || self.in_line(key) == count), "{} in line", self.in_line(key));
    }
}

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    Locker::with_backend_and(Redis::open(url).unwrap(), settings).unwrap()
}
