//! A server, a network before it, and those who use it.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock, Locker, Settings, backends::Redis};
use lock_core::conformance::{Peer, Side, pulse};
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
/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

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

/// Kills a process, and waits until it is gone with all its connections.
pub(crate) fn kill(peer: &mut Peer) {
    peer.kill();
    peer.end();
}

/// Stops a process, and waits until none of its threads runs any more.
pub(crate) fn stop(peer: &Peer) {
    peer.stop();
    let is_stopped = || {
        let threads = fs::read_dir(format!("/proc/{}/task", peer.id())).unwrap();
        let state = |path: PathBuf| fs::read_to_string(path.join("stat")).unwrap_or_default();
        threads.flatten().all(|thread| state(thread.path()).contains(") T "))
    };
    assert!(eventually(LONG, is_stopped));
}

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    Locker::with_backend_and(Redis::open(url).unwrap(), settings).unwrap()
}

/// Acquires as callers of a kind do.
pub(crate) fn acquire(lock: &Lock, side: Side) -> lock::Result<Guard> {
    match side {
        Side::Blocking => lock.acquire(),
        Side::Async => smol::block_on(lock.acquire_async()),
    }
}

/// Releases as callers of a kind do.
pub(crate) fn release(guard: &Guard, side: Side) -> lock::Result<()> {
    match side {
        Side::Blocking => guard.release(),
        Side::Async => smol::block_on(guard.release_async()),
    }
}

pub(crate) const SIDES: [Side; 2] = [Side::Blocking, Side::Async];

/// The two kinds of callers, in turn.
pub(crate) fn side(round: u32) -> Side {
    SIDES[round as usize % 2]
}

/// Whether it becomes true within some time.
pub(crate) fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        thread::sleep(ms(1));
    }
}

/// One count by another.
pub(crate) fn ratio(count: u64, by: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(by).unwrap())
}

/// The time since `begin`, less what the machine kept us from running.
pub(crate) fn running_since(begin: Instant) -> Duration {
    begin.elapsed().saturating_sub(pulse::stalled_since(begin))
}

/// How long after now the loss of a guard is told; `None` if it is not in time.
pub(crate) fn lost_within(guard: &Guard, limit: Duration) -> Option<Duration> {
    let begin = Instant::now();
    let lost = async {
        guard.lost().await;
        true
    };
    let late = async {
        smol::Timer::after(limit).await;
        false
    };
    smol::block_on(smol::future::or(lost, late)).then(|| running_since(begin))
}
