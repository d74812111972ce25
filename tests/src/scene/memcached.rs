//! memcached, whose clock ticks once a second and which forgets everything.

use lock::{Locker, Settings, backends::Memcached};

use std::time::Duration;

use super::{Forgets, Limits, Scene, Stage, StormLimits, process};
use crate::{
    callers::{LONG, eventually, ms},
    servers::MemcachedServer,
};

impl Stage for MemcachedServer {
    const NAME: &'static str = "memcached";
    const KEEPS: bool = false;
    const LIMITS: Limits = Limits {
        // The shortest that there is.
        ttl: ms(1000),
        roomy: ms(6000),
        renewal: ms(1000),
        renewal_cuts: (48, 12),
        telling: ms(50),
        // A tick of the server's clock, a look of the waiter's, and what a busy machine needs.
        freed: ms(2250),
        given_back: ms(500),
        unanswered: ms(500),
        look: ms(250),
        // Who was to be the next one, and does not come, is so for two seconds at most.
        passed_over: ms(2500),
        back: ms(2000),
        // What is left of the faults may have to run out first, and who looks again has it by luck.
        storm: StormLimits { ttl: ms(1000), lasts: ms(30_000), calm: ms(30_000), connections: 70 },
    };

    fn start() -> Self {
        Self::start()
    }

    fn client(url: &str, settings: &Settings) -> Locker {
        Locker::with_backend_and(Memcached::open(url).unwrap(), settings).unwrap()
    }

    fn connections(&self) -> u64 {
        self.stat("curr_connections")
    }

    fn owner(&self, key: &str) -> Option<String> {
        let held = self.ask(&format!("mg lock:{key} v")) != "EN";
        let record = held.then(|| self.ask(&format!("mg lock:{key}#holder v")))?;
        // What is held is so without a record, too.
        Some(record.split(' ').nth(1).unwrap_or_default().to_owned())
    }

    /// How often anything was read: an acquire looks first, and takes only if it has been answered.
    fn arrived(&self, _: &str) -> u64 {
        self.stat("cmd_get")
    }

    fn wait_in_line(&self, key: &str, _: u64) {
        // More than one look asks: a whole one is among them.
        const READS: u64 = 14;
        let before = self.arrived(key);
        assert!(eventually(LONG, || self.arrived(key) >= before + READS), "nobody looks");
    }

    process!();
}

impl Forgets for MemcachedServer {
    const FORGOTTEN: Duration = ms(9000);
    /// Once it is back, at the next try of a renewal, which is every 450 ms; and not when a renewal is due, after 3 s.
    const KNOWS: Duration = ms(1000);
}

impl Scene<MemcachedServer> {
    /// Whether anybody has a key, as the server says.
    pub fn is_held(&self, key: &str) -> bool {
        self.server.owner(key).is_some()
    }
}
