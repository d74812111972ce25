//! A server, a network before it, and those who use it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lock::{Locker, Settings, backends::MySql};
use lock_core::conformance::{Peer, Side, pulse};
pub(crate) use tests::callers::{
    LONG, SIDES, acquire, eventually, lost_within, ms, release, running_since, told_of_loss,
};
use tests::{
    journal::Journal,
    proxy::Proxy,
    scratch::Scratch,
    servers::{MariaDbServer, MySqlSession},
    subjects::crowd,
};

/// How late a loss may be told.
pub(crate) const TELLING: Duration = ms(50);
/// How long after its ttl, or its server's return, a lock may still be taken: what is promised, and as much again for a
/// machine that is busy with several servers.
pub(crate) const FREED: Duration = ms(500);
/// How long a free lock is kept for one who does not come, and what a busy machine needs for a look.
pub(crate) const LOOK: Duration = ms(300);
/// How long a free lock is kept for the first in line who does not come.
pub(crate) const WINDOW: Duration = ms(150);

/// A server of a test's own, with a proxy before it and a history of holds.
pub(crate) struct Scene {
    pub(crate) proxy: Proxy,
    pub(crate) server: MariaDbServer,
    pub(crate) journal: Journal,
    pub(crate) settings: Settings,
    session: Mutex<Option<MySqlSession>>,
    _scratch: Scratch,
}

impl Scene {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self::on(MariaDbServer::start(), ttl)
    }

    pub(crate) fn on(server: MariaDbServer, ttl: Duration) -> Self {
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
        Self { proxy, server, journal, settings, session: Mutex::default(), _scratch: scratch }
    }

    /// A client of its own, through the proxy.
    pub(crate) fn near(&self) -> Locker {
        connected(client(&self.server.url_by(self.proxy.port()), &self.settings))
    }

    /// A client of its own, with nothing in between.
    pub(crate) fn far(&self) -> Locker {
        connected(client(&self.server.url(), &self.settings))
    }

    /// A client of its own as somebody else, `name:password` or a name.
    pub(crate) fn as_user(&self, user: &str) -> Locker {
        client(&self.url_of(user), &self.settings)
    }

    /// The URL of the server for somebody else.
    pub(crate) fn url_of(&self, user: &str) -> String {
        self.server.url().replace("app@", &format!("{user}@"))
    }

    /// A process full of callers, with nothing in between.
    pub(crate) fn crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url()), &self.settings, side).unwrap()
    }

    /// A process full of callers, through the proxy.
    pub(crate) fn near_crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.server.url_by(self.proxy.port())), &self.settings, side).unwrap()
    }

    /// What the server says to somebody who may do everything: the first column, row by row.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let mut session = self.session();
        // The last one may have ended with a server that was killed.
        let said = session.take().and_then(|mut known| Some((known.ask(sql).ok()?, known)));
        let (rows, known) = said.unwrap_or_else(|| {
            let mut new = self.server.session();
            (new.ask(sql).unwrap(), new)
        });
        *session = Some(known);
        rows
    }

    /// The one thing that the server says.
    pub(crate) fn ask(&self, sql: &str) -> String {
        self.rows(sql).into_iter().next().unwrap_or_default()
    }

    /// The one number that the server says.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.ask(sql).parse().unwrap()
    }

    fn session(&self) -> MutexGuard<'_, Option<MySqlSession>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait in the line of a key.
    pub(crate) fn in_line(&self, key: &str) -> u64 {
        let separators = "LENGTH(waiters) - LENGTH(REPLACE(waiters, x'1F', ''))";
        let asked =
            format!("SELECT CAST(({separators}) DIV 2 AS CHAR) FROM lock_leases WHERE `key` = 'lock:{key}'");
        self.ask(&asked).parse().unwrap_or(0)
    }

    /// Waits until so many wait in the line of a key.
    pub(crate) fn wait_in_line(&self, key: &str, count: u64) {
        assert!(eventually(LONG, || self.in_line(key) == count), "{} in line", self.in_line(key));
    }

    /// How many connections the library has, and others as its user.
    pub(crate) fn connections(&self) -> u64 {
        self.number("SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE user = 'app'")
    }

    /// The fencing token of the last grant of a key.
    pub(crate) fn token(&self, key: &str) -> u64 {
        self.number(&format!("SELECT CAST(token AS CHAR) FROM lock_leases WHERE `key` = 'lock:{key}'"))
    }

    /// The owner of a key that is held.
    pub(crate) fn owner(&self, key: &str) -> Option<String> {
        let asked = format!(
            "SELECT CONVERT(owner USING utf8mb4) FROM lock_leases WHERE `key` = 'lock:{key}' \
             AND expires_at > UTC_TIMESTAMP(6)"
        );
        self.rows(&asked).pop()
    }
}

/// Who has to connect first, and to make the table, may need longer than a short ttl is.
fn connected(locker: Locker) -> Locker {
    locker.ping().unwrap();
    locker
}

/// Lockers of one process that were opened by URL are one client; this is another one.
pub(crate) fn client(url: &str, settings: &Settings) -> Locker {
    Locker::with_backend_and(MySql::open(url).unwrap(), settings).unwrap()
}
