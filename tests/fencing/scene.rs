//! A holder whose lease has ended, and his successor.

use std::time::Duration;

use lock::{Guard, Lock, Locker, Settings, backends::Redis};
use tests::servers::RedisServer;

/// The first has let its lease end and does not know; the second holds the lock.
pub(crate) struct Scene {
    pub(crate) server: RedisServer,
    pub(crate) late: Guard,
    pub(crate) successor: Guard,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let server = RedisServer::start();
        let url = server.url();
        let late = acquired(&client(&url).lock("stock:7").ttl(Duration::from_millis(600)).renew(false));
        // Waits until the first lease has ended.
        let successor = acquired(&client(&url).lock("stock:7").wait(Duration::from_secs(30)));
        assert!(!late.is_held() && successor.is_held());
        Self { server, late, successor }
    }
}

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str) -> Locker {
    Locker::with_backend_and(Redis::open(url).unwrap(), &Settings::default()).unwrap()
}

/// Once more if the machine was too busy to answer while there was enough left of the lease.
fn acquired(lock: &Lock) -> Guard {
    let mut answers = (0..20).map(|_| lock.acquire());
    let answer = answers.find(|answer| !answer.as_ref().is_err_and(lock::Error::is_retryable));
    answer.expect("an answer in time").unwrap()
}
