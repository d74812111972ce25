//! The connection to one file, and what is asked on it.
//!
//! What may interleave, beyond the [common part](crate::backends::sql):
//! - The time is taken before a statement is sent, and the statement may wait for others to write. It then works with a
//!   time of the past: it takes a lease for lasting that has just ended, and lets its own end earlier than it might, but
//!   never later than its holder counts, who began to count before.
//! - The file may be removed or replaced while a connection has the old one open: every statement first looks whether the
//!   path still leads to it. Between that look and the statement, nothing protects from somebody who removes it.
//! - A statement whose answer nobody waits for any more is finished by the connection's thread, and the connection then
//!   closed.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, Row as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};

use super::{address::Address, clock, fault, storage};
use crate::{
    backend::{Capabilities, Fault},
    background,
    backends::sql::{Database, Failed, Pool, Row, Statement, Statements, Style, Taken, Value, Values},
    error::Result,
    wait,
};

/// How many connections a client has at most: only one may write at a time.
const CONNECTIONS: usize = 1;

/// How long a statement is tried while others write, at most.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

/// The same outside of the background thread, which then goes on: less than half of what the engine allows there.
const BUSY_LIMIT_HERE: Duration = Duration::from_millis(400);

/// The pause before the next try, at first and at most.
const PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// A SQLite database file.
pub struct DatabaseFile {
    address: Address,
    options: SqliteConnectOptions,
    pool: Pool<Session>,
    statements: Statements,
    create: Statement,
    boot: String,
}

struct Session {
    connection: SqliteConnection,
    file: Option<Identity>,
}

/// The device and the number of a file.
type Identity = (u64, u64);

impl DatabaseFile {
    pub(super) fn new(address: Address) -> Result<Self> {
        let statement = |file| {
            Statement::new(file, include_str!("statements/row.sql"), &address.table, Style::Numbered('?'))
        };
        let statements = Statements {
            acquire: statement(include_str!("statements/acquire.sql")),
            stand_in_line: statement(include_str!("statements/stand_in_line.sql")),
            look: statement(include_str!("statements/look.sql")),
            renew: statement(include_str!("statements/renew.sql")),
            release: statement(include_str!("statements/release.sql")),
            adopt: statement(include_str!("statements/adopt.sql")),
            held: statement(include_str!("statements/held.sql")),
            force_release: statement(include_str!("statements/force_release.sql")),
            leave_line: statement(include_str!("statements/leave_line.sql")),
            prune: statement(include_str!("statements/prune.sql")),
        };
        let create = statement(super::CREATE_TABLE);
        let options = SqliteConnectOptions::new()
            .filename(address.path())
            .create_if_missing(true)
            // SQLite's own waiting starves those who wait: of two processes, one got a single turn.
            .busy_timeout(Duration::ZERO)
            .thread_name(|_| "lock-sqlite".to_owned())
            .disable_statement_logging();
        Ok(Self { address, options, pool: Pool::new(CONNECTIONS), statements, create, boot: clock::boot()? })
    }

    /// Runs a statement; where the table is missing, it is made.
    ///
    /// It waits here, and not in front of the backend, because others who write are no reason to give up one's turn: the
    /// file is locked, not the key. A thousandth of a second is enough most of the time.
    async fn run(
        &self,
        statement: &Statement,
        values: &Values<'_>,
        limit: Duration,
    ) -> Result<Vec<SqliteRow>, Failed> {
        let (begin, mut pause, mut made) = (Instant::now(), PAUSE, false);
        loop {
            let told = Values { now: clock::now(), wall: clock::wall(), boot: &self.boot, ..values.clone() };
            let mut done = self.once(statement, &told).await;
            if !made && done.as_ref().is_err_and(fault::is_missing) {
                done = self.once(&self.create, &told).await;
                made = done.is_ok();
                if made {
                    continue;
                }
            }
            let limit = if background::is_current() { limit } else { limit.min(BUSY_LIMIT_HERE) };
            if !done.as_ref().is_err_and(fault::is_busy) || begin.elapsed() > limit {
                return done;
            }
            background::sleep(pause.mul_f64(wait::jitter())).await.map_err(|error| Failed::Connecting(error.into()))?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<SqliteRow>, Failed> {
        let mut lent = self.pool.get(|| self.connect()).await.map_err(Failed::Connecting)?;
        if lent.connection.file != identity(self.address.path()) {
            lent.is_broken();
            lent = self.pool.get(|| self.connect()).await.map_err(Failed::Connecting)?;
        }
        let done = lent.connection.run(statement, values).await;
        match &done {
            Err(error) if fault::ends_connection(error) => lent.is_broken(),
            _ => lent.give_back(),
        }
        done.map_err(Failed::Asking)
    }

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        check_process()?;
        let path = self.address.path();
        if let Some(name) = storage::shared_between_machines(path) {
            return Err(sqlx::Error::Configuration(
                format!(
                    "it is on {name}: each machine would take the others' locks for its own of before a restart; accepted is \
                     a file on a local disk"
                )
                .into(),
            ));
        }
        let mut connection = self.options.connect().await?;
        let mut mode = ask(&mut connection, "PRAGMA journal_mode").await?;
        if mode != "wal" && ask(&mut connection, "SELECT CAST(count(*) AS TEXT) FROM sqlite_master").await? == "0" {
            mode = ask(&mut connection, "PRAGMA journal_mode = WAL").await?;
        }
        let synchronous = if mode == "wal" { "PRAGMA synchronous = NORMAL" } else { "PRAGMA synchronous = FULL" };
        connection.execute(synchronous).await?;
        Ok(Session { connection, file: identity(path) })
    }

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.address)
    }
}

impl Database for DatabaseFile {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            across_hosts: false,
            queues: true,
            survives_restart: true,
            hand_over: true,
            ttl_grain: Duration::from_millis(1),
            ..Capabilities::default()
        }
    }

    fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The connection's own thread does the work, and answers to whatever thread or task.
    fn runs_here(&self) -> bool {
        true
    }

    async fn take(&self, values: &Values<'_>) -> Result<Taken, Fault> {
        let limit = limit(values, 2);
        let rows = self.run(&self.statements.acquire, values, limit).await.map_err(|failed| self.fault(&failed))?;
        Taken::read(&rows).map_err(|error| self.fault(&Failed::Asking(error)))
    }

    async fn rows(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        let rows = self.run(statement, values, limit(values, 8)).await.map_err(|failed| self.fault(&failed))?;
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(Row::read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    async fn change(&self, statement: &Statement, values: &Values<'_>) -> Result<bool, Fault> {
        let rows = self.run(statement, values, limit(values, 8)).await.map_err(|failed| self.fault(&failed))?;
        Ok(!rows.is_empty())
    }
}

impl Session {
    async fn run(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&statement.text)));
        for parameter in &statement.parameters {
            query = match values.get(*parameter) {
                Value::Text(text) => query.bind(text.to_owned()),
                Value::Number(number) => query.bind(number),
            };
        }
        // To the end: only then is it committed.
        query.fetch_all(&mut self.connection).await
    }
}

/// How long to try, below what the engine allows for the call: a part of the ttl, if there is one.
fn limit(values: &Values<'_>, part: u32) -> Duration {
    let ttl = Duration::from_micros(u64::try_from(values.ttl).unwrap_or(0));
    if ttl.is_zero() { BUSY_LIMIT } else { BUSY_LIMIT.min(ttl / part) }
}

/// SQLite remembers per process what is locked: a forked child would believe to have its parent's locks.
fn check_process() -> Result<(), sqlx::Error> {
    static USED_BY: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    match USED_BY.compare_exchange(0, process, Ordering::Relaxed, Ordering::Relaxed) {
        Err(other) if other != process => Err(sqlx::Error::Configuration(
            "a forked child cannot use SQLite after its parent has; accepted is a child that runs a program of its own".into(),
        )),
        _ => Ok(()),
    }
}

fn identity(path: &Path) -> Option<Identity> {
    rustix::fs::stat(path).ok().map(|found| (found.st_dev, found.st_ino))
}

async fn ask(connection: &mut SqliteConnection, question: &'static str) -> Result<String, sqlx::Error> {
    connection.fetch_one(question).await?.try_get(0)
}


impl fmt::Debug for DatabaseFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.address, f)
    }
}
