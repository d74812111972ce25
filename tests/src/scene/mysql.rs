//! MariaDB, where nobody is told, those who wait stand in line, and others have sessions and transactions.

use std::{thread, time::Duration};

use lock::{Locker, Settings, backends::MySql};

use super::{Database, Ends, Keeps, Limits, Line, RowLimits, Scene, Stage, StormLimits, Strike, process};
use crate::{
    callers::ms,
    servers::{MariaDbServer, MySqlSession},
};

/// All connections of the library are ended by the server.
const END_ALL: &str = "KILL CONNECTION USER app@127.0.0.1";

impl Stage for MariaDbServer {
    const NAME: &'static str = "mysql";
    const KEEPS: bool = true;
    const CONNECTS_SLOWLY: bool = true;
    const LIMITS: Limits = Limits {
        ttl: ms(600),
        roomy: ms(3000),
        // A renewal takes another connection, for which there has to be time.
        renewal: ms(1500),
        // The answer to a change.
        renewal_cuts: (12, 1),
        telling: ms(50),
        // What is promised, and as much again for a machine that is busy with several servers.
        freed: ms(500),
        given_back: ms(500),
        // It may still stand in line, and nobody there who comes.
        unanswered: ms(650),
        look: ms(300),
        // A look, and the 150 ms for which a free lock is kept for one who does not come.
        passed_over: ms(450),
        // A release that is on its way into the dark is waited for, for 5 s at most.
        back: ms(6000),
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
        Locker::with_backend_and(MySql::open(url).unwrap(), settings).unwrap()
    }

    /// Who has to connect first, and to make the table, may need longer than a short ttl is.
    fn client_of_scene(url: &str, settings: &Settings) -> Locker {
        let locker = Self::client(url, settings);
        locker.ping().unwrap();
        locker
    }

    /// Those of others as its user included.
    fn connections(&self) -> u64 {
        let asked = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE user = 'app'";
        self.rows(asked)[0].parse().unwrap()
    }

    fn owner(&self, key: &str) -> Option<String> {
        let asked = format!(
            "SELECT CONVERT(owner USING utf8mb4) FROM lock_leases WHERE `key` = 'lock:{key}' \
             AND expires_at > UTC_TIMESTAMP(6)"
        );
        self.rows(&asked).pop()
    }

    /// The token of the last grant.
    fn arrived(&self, key: &str) -> u64 {
        let asked = format!("SELECT CAST(token AS CHAR) FROM lock_leases WHERE `key` = 'lock:{key}'");
        self.rows(&asked)[0].parse().unwrap()
    }

    fn wait_in_line(&self, key: &str, count: u64) {
        self.wait_until_in_line(key, count);
    }

    process!();
}

impl Keeps for MariaDbServer {
    const RESTART: Duration = ms(4000);
    /// An earlier call of the waiter, which failed with its server, may stand in line before it.
    const RESUMED: Duration = ms(450);
}

impl Ends for MariaDbServer {
    fn end_sessions(&self) {
        self.rows(END_ALL);
    }
}

impl Database for MariaDbServer {
    /// The server waits for a row for a second, which is the least there is; a waiter may have just begun to.
    const ROWS: RowLimits =
        RowLimits { ttl: ms(4000), refused: ms(2300), given_up: ms(2300), kept: ms(2500), had: ms(300) };
    const FULL: &'static str = "Too many connections";
    type Session = MySqlSession;

    fn small() -> Self {
        Self::with(&["--max-connections=10"])
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        Self::rows(self, sql)
    }

    fn ordinary_url(&self) -> String {
        self.url()
    }

    fn open(url: &str) -> Option<MySqlSession> {
        MySqlSession::open(url).ok()
    }

    fn set_read_only(&self, yes: bool) {
        self.rows(&format!("SET GLOBAL read_only = {yes}"));
    }

    fn keep_row(&self, key: &str) -> impl FnOnce() + Send {
        let mut session = self.session();
        session.ask("BEGIN").unwrap();
        // That row, and no other.
        let row = format!("SELECT 1 FROM lock_leases WHERE id = SHA2('lock:{key}', 256) FOR UPDATE");
        assert_eq!(session.ask(&row).unwrap(), ["1"]);
        move || drop(session.ask("COMMIT").unwrap())
    }
}

impl Line for MariaDbServer {
    fn in_line(&self, key: &str) -> u64 {
        let separators = "LENGTH(waiters) - LENGTH(REPLACE(waiters, x'1F', ''))";
        let asked =
            format!("SELECT CAST(({separators}) DIV 2 AS CHAR) FROM lock_leases WHERE `key` = 'lock:{key}'");
        self.rows(&asked).pop().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Scene<MariaDbServer> {
    /// A client of its own as somebody else, `name:password` or a name.
    pub fn as_user(&self, user: &str) -> Locker {
        MariaDbServer::client(&self.url_of(user), &self.settings)
    }

    /// The URL of the server for somebody else.
    pub fn url_of(&self, user: &str) -> String {
        self.server.url().replace("app@", &format!("{user}@"))
    }
}
