//! PostgreSQL, where those who wait are told, and others have sessions and transactions.

use std::{thread, time::Duration};

use lock::{Locker, Settings, backends::Postgres};

use super::{Database, Ends, Keeps, Limits, Line, RowLimits, Scene, Stage, StormLimits, Strike, process};
use crate::{
    callers::{LONG, eventually, ms},
    servers::{PostgresServer, Session},
};

/// All connections of the library are ended by the server.
const END_ALL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lock'";
/// Connections that have said nothing since they began to listen, or to look whether they are alive.
const LISTENING: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lock' AND state = 'idle' \
                         AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')";

impl Stage for PostgresServer {
    const NAME: &'static str = "postgres";
    const KEEPS: bool = true;
    const CONNECTS_SLOWLY: bool = true;
    const LIMITS: Limits = Limits {
        ttl: ms(600),
        roomy: ms(3000),
        renewal: ms(600),
        renewal_cuts: (4, 1),
        telling: ms(50),
        freed: ms(250),
        given_back: ms(250),
        unanswered: ms(250),
        // The server's work included.
        look: ms(250),
        // A look, and the 150 ms for which a free lock is kept for one who does not come.
        passed_over: ms(400),
        // A statement without an answer is given up after 2.5 s.
        back: ms(4000),
        storm: StormLimits { ttl: ms(400), lasts: ms(12_000), calm: ms(10_000), connections: 25 },
    };
    const STRIKES: &'static [(&'static str, Strike<Self>)] = &[
        ("rows kept", |server, moment| {
            let mut session = server.session();
            // The table may not yet be made.
            let _ = session.ask("BEGIN; SELECT 1 FROM lock_leases FOR UPDATE");
            thread::sleep(moment);
        }),
        ("sessions ended", |server, _| server.end_sessions()),
    ];

    fn start() -> Self {
        Self::start()
    }

    fn client(url: &str, settings: &Settings) -> Locker {
        Locker::with_backend_and(Postgres::open(url).unwrap(), settings).unwrap()
    }

    fn connections(&self) -> u64 {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lock'";
        self.rows(asked)[0].parse().unwrap()
    }

    fn owner(&self, key: &str) -> Option<String> {
        let asked = format!(
            "SELECT owner FROM lock_leases WHERE key = 'lock:{key}' AND expires_at > clock_timestamp()"
        );
        self.rows(&asked).pop()
    }

    /// The token of the last grant.
    fn arrived(&self, key: &str) -> u64 {
        let asked = format!("SELECT token FROM lock_leases WHERE key = 'lock:{key}'");
        self.rows(&asked)[0].parse().unwrap()
    }

    fn wait_in_line(&self, key: &str, count: u64) {
        self.wait_until_in_line(key, count);
    }

    process!();
}

impl Keeps for PostgresServer {
    const RESTART: Duration = ms(4000);
    const RESUMED: Duration = ms(250);

    /// Our sessions ask it to wait for its disk.
    fn hasty() -> Self {
        Self::with(&["synchronous_commit=off", "wal_writer_delay=10s"])
    }
}

impl Ends for PostgresServer {
    fn end_sessions(&self) {
        self.rows(END_ALL);
    }
}

impl Database for PostgresServer {
    const ROWS: RowLimits =
        RowLimits { ttl: ms(2000), refused: ms(500), given_up: ms(1200), kept: ms(250), had: ms(500) };
    const FULL: &'static str = "connection";
    type Session = Session;

    fn small() -> Self {
        Self::with(&["max_connections=12", "superuser_reserved_connections=1"])
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        Self::rows(self, sql)
    }

    fn ordinary_url(&self) -> String {
        self.rows("CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app");
        self.url().replace("postgres@", "app@")
    }

    fn open(url: &str) -> Option<Session> {
        Session::open(url).ok()
    }

    fn set_read_only(&self, yes: bool) {
        let mut session = self.session();
        // A transaction that may not write may not do this either.
        session.ask("SET default_transaction_read_only = off").unwrap();
        session.ask(&format!("ALTER SYSTEM SET default_transaction_read_only = {yes}")).unwrap();
        session.ask("SELECT pg_reload_conf()").unwrap();
        let shown = || self.session().ask("SHOW default_transaction_read_only").unwrap();
        assert!(eventually(LONG, || shown() == [if yes { "on" } else { "off" }]));
        // Every session has heard of it when it has been asked something; ours are asked next.
    }

    fn keep_row(&self, key: &str) -> impl FnOnce() + Send {
        let mut session = self.session();
        session.ask("BEGIN").unwrap();
        let row = format!("SELECT 1 FROM lock_leases WHERE key = 'lock:{key}' FOR UPDATE");
        assert_eq!(session.ask(&row).unwrap(), ["1"]);
        move || drop(session.ask("COMMIT").unwrap())
    }
}

impl Line for PostgresServer {
    fn in_line(&self, key: &str) -> u64 {
        let waits = "length(waiters) - length(replace(waiters, chr(31), ''))";
        let asked = format!("SELECT ({waits}) / 2 FROM lock_leases WHERE key = 'lock:{key}'");
        self.rows(&asked).pop().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Scene<PostgresServer> {
    /// Waits until so many connections listen.
    pub fn wait_for_listeners(&self, count: u64) {
        assert!(eventually(LONG, || self.number(LISTENING) == count), "{} listen", self.number(LISTENING));
    }
}
