//! Redis, where those who wait are told.

use std::time::Duration;

use lock::{Locker, Settings, backends::Redis};

use super::{Ends, Forgets, Keeps, Limits, Line, Stage, StormLimits, Strike, process};
use crate::{callers::ms, servers::RedisServer};

impl Stage for RedisServer {
    const NAME: &'static str = "redis";
    const KEEPS: bool = false;
    const LIMITS: Limits = Limits {
        ttl: ms(600),
        roomy: ms(3000),
        renewal: ms(600),
        renewal_cuts: (4, 1),
        telling: ms(50),
        freed: ms(250),
        given_back: ms(250),
        unanswered: ms(250),
        look: ms(150),
        passed_over: ms(250),
        back: ms(2000),
        storm: StormLimits { ttl: ms(400), lasts: ms(12_000), calm: ms(10_000), connections: 40 },
    };
    const STRIKES: &'static [(&'static str, Strike<Self>)] = &[
        ("scripts flushed", |server, _| drop(server.ask(&["SCRIPT", "FLUSH"]))),
        ("subscribers ended", |server, _| drop(server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]))),
        ("sessions ended", |server, _| server.end_sessions()),
    ];

    fn start() -> Self {
        Self::start()
    }

    fn lasting() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn client(url: &str, settings: &Settings) -> Locker {
        Locker::with_backend_and(Redis::open(url).unwrap(), settings).unwrap()
    }

    fn connections(&self) -> u64 {
        self.number("clients", "connected_clients")
    }

    fn owner(&self, key: &str) -> Option<String> {
        let key = format!("lock:{key}");
        (self.ask(&["EXISTS", &key]).int() != 0).then(|| self.ask(&["GET", &key]).text().to_owned())
    }

    /// The token of the last grant.
    fn arrived(&self, key: &str) -> u64 {
        let record = self.ask(&["GET", &format!("lock:{key}\u{1f}holder")]);
        record.text().split(' ').next().unwrap().parse().unwrap()
    }

    fn wait_in_line(&self, key: &str, count: u64) {
        self.wait_until_in_line(key, count);
    }

    process!();
}

impl Keeps for RedisServer {
    const RESTART: Duration = ms(3000);
    const RESUMED: Duration = ms(250);
}

impl Forgets for RedisServer {
    const FORGOTTEN: Duration = ms(3000);
    /// When a renewal is due, at the latest.
    const KNOWS: Duration = ms(2000);
}

impl Ends for RedisServer {
    fn end_sessions(&self) {
        self.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        self.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
}

impl Line for RedisServer {
    fn in_line(&self, key: &str) -> u64 {
        self.ask(&["ZCARD", &format!("lock:{key}\u{1f}waiters")]).int().unsigned_abs()
    }
}
