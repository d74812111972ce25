//! A server, a network before it, and those who use it.

mod limits;
mod memcached;
mod mysql;
mod postgres;
mod redis;
mod stage;

use std::time::Duration;

use lock::{Locker, Settings};
use lock_core::conformance::{Peer, Side, pulse};

pub use self::{
    limits::{Limits, RowLimits, StormLimits},
    stage::{Database, Ends, Forgets, Keeps, Line, Stage, Strike},
};
use crate::{
    callers::{LONG, eventually, ms},
    journal::Journal,
    proxy::Proxy,
    scratch::Scratch,
    subjects::{crowd, holder},
};

/// A server of a test's own, with a proxy before it and a history of holds.
#[derive(Debug)]
pub struct Scene<S> {
    /// The network.
    pub proxy: Proxy,
    /// The server.
    pub server: S,
    /// What becomes of the locks.
    pub journal: Journal,
    /// Those of the clients.
    pub settings: Settings,
    _scratch: Scratch,
}

impl<S: Stage> Scene<S> {
    /// On a server as it is by default.
    pub fn new(ttl: Duration) -> Self {
        Self::on(S::start(), ttl)
    }

    /// On that server.
    pub fn on(server: S, ttl: Duration) -> Self {
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
    pub fn near(&self) -> Locker {
        S::client_of_scene(&self.near_url(), &self.settings)
    }

    /// A client of its own, with nothing in between.
    pub fn far(&self) -> Locker {
        S::client_of_scene(&self.far_url(), &self.settings)
    }

    /// Another process, with nothing in between.
    pub fn peer(&self, side: Side) -> Peer {
        Peer::start(holder(&self.far_url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, with nothing in between.
    pub fn crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.far_url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, through the proxy.
    pub fn near_crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.near_url()), &self.settings, side).unwrap()
    }

    /// Who has a key, as the server itself says.
    pub fn owner(&self, key: &str) -> Option<String> {
        self.server.owner(key)
    }

    /// How many connections the server has.
    pub fn connections(&self) -> u64 {
        self.server.connections()
    }

    /// Waits until so many wait for a key; where nobody stands in line, until one has looked in vain.
    pub fn wait_in_line(&self, key: &str, count: u64) {
        self.server.wait_in_line(key, count);
    }

    fn near_url(&self) -> String {
        self.server.url_by(self.proxy.port())
    }

    fn far_url(&self) -> String {
        self.server.url_by(self.server.port())
    }
}

impl<S: Line> Scene<S> {
    /// How many wait for a key.
    pub fn in_line(&self, key: &str) -> u64 {
        self.server.in_line(key)
    }

    /// Polls a call, which may have to be for that, until it stands in line for a key, alone and not answered.
    pub fn poll_into_line<T>(&self, call: &mut (impl Future<Output = T> + Unpin), key: &str) {
        let stands = || {
            assert!(smol::block_on(smol::future::poll_once(&mut *call)).is_none());
            self.in_line(key) == 1
        };
        assert!(eventually(LONG, stands), "not in line");
    }
}

impl<S: Database> Scene<S> {
    /// The first column of what the server says to somebody who may do everything, row by row.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.server.rows(sql)
    }

    /// The one thing that the server says.
    pub fn ask(&self, sql: &str) -> String {
        self.rows(sql).into_iter().next().unwrap_or_default()
    }

    /// The one number that the server says.
    pub fn number(&self, sql: &str) -> u64 {
        self.ask(sql).parse().unwrap()
    }
}

/// What every server of ours can be told as a process.
macro_rules! process {
    () => {
        fn port(&self) -> u16 {
            Self::port(self)
        }

        fn url_by(&self, port: u16) -> String {
            Self::url_by(self, port)
        }

        fn stop(&self) {
            Self::stop(self);
        }

        fn go_on(&self) {
            Self::go_on(self);
        }

        fn kill9(&self) {
            Self::kill9(self);
        }

        fn restart(&self) {
            Self::restart(self);
        }
    };
}
use process;
