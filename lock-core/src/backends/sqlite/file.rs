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
    ConnectOptions, Executor, Row as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};

use super::{
    address::Address,
    clock, fault,
    patience::{LOCKED, LONGEST_PAUSE, Locked, Patience, pause},
    storage,
    watch::{self, Bell},
};
use crate::{
    backend::{Capabilities, Fault, Request, Watch},
    backends::{
        pool::{Lent, Pool},
        sql::{Database, Failed, Row, Statement, Statements, Style, Taken, Values, statements},
    },
    error::Result,
    lease::Owner,
    sync::{self, Mutex},
};

/// How many connections there are at most, though only one may write at a time: callers who drive one themselves may leave
/// it alone in the middle, and renewals do not wait for them.
const CONNECTIONS: usize = 2;
const SPARED: usize = 1;

/// How long a statement is tried while others write, at most; a release for longer, as nobody has the key otherwise.
const BUSY_LIMIT: Duration = Duration::from_millis(800);
const RELEASE_LIMIT: Duration = Duration::from_secs(4);

/// How long a statement is tried while the file has been locked for longer than that already.
const LOOK: Duration = Duration::from_millis(10);

/// A SQLite database file.
pub struct DatabaseFile {
    address: Address,
    options: SqliteConnectOptions,
    /// For the background thread.
    pool: Arc<Pool<Session>>,
    statements: Statements,
    create: Statement,
    unused: Statement,
    boot: String,
    locked: Mutex<Locked>,
    bell: Bell,
}

/// A connection, and the file that it has open.
#[derive(Debug)]
pub struct Session {
    pub(super) connection: SqliteConnection,
    pub(super) file: Option<Identity>,
}

/// The device and the number of a file.
pub(super) type Identity = (u64, u64);

impl DatabaseFile {
    pub(super) fn new(address: Address) -> Result<Self> {
        let statement = |file| {
            Statement::new(file, include_str!("statements/row.sql"), &address.table, Style::Numbered('?'))
        };
        let statements = statements!(statement);
        let create = statement(super::CREATE_TABLE);
        let unused = statement(include_str!("statements/unused.sql"));
        let options = SqliteConnectOptions::new()
            .filename(address.path())
            .create_if_missing(true)
            // SQLite's own waiting starves those who wait: of two processes, one got a single turn.
            .busy_timeout(Duration::ZERO)
            .thread_name(|_| "lock-sqlite".to_owned())
            .disable_statement_logging();
        let (pool, locked, boot) = (Pool::new(CONNECTIONS), Mutex::default(), clock::boot()?);
        let bell = Bell::new(address.path(), &options, statement(include_str!("statements/turn.sql")), &boot);
        Ok(Self { address, options, pool, statements, create, unused, boot, locked, bell })
    }

    /// Runs a statement; where the table is missing, it is made.
    ///
    /// It waits here, and not in front of the backend, because others who write are no reason to give up one's turn: the
    /// file is locked, not the key. The connection is kept meanwhile: nobody else could write either.
    async fn run(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<SqliteRow>, Failed> {
        let limit = self.limit(statement, values);
        let lent = self.lend(limit).await.map_err(Failed::Connecting)?;
        self.run_on(lent, statement, values, limit).await
    }

    async fn run_on(
        &self,
        mut lent: Lent<Session>,
        statement: &Statement,
        values: &Values<'_>,
        limit: Duration,
    ) -> Result<Vec<SqliteRow>, Failed> {
        let (mut patience, mut made) = (self.patience(limit), false);
        let done = loop {
            let told = Values { now: clock::now(), wall: clock::wall(), boot: &self.boot, ..values.clone() };
            let mut done = lent.connection.run(statement, &told).await;
            if !made && done.as_ref().is_err_and(fault::is_missing) {
                done = lent.connection.run(&self.create, &told).await;
                made = done.is_ok();
                if made {
                    continue;
                }
            }
            if !done.as_ref().is_err_and(fault::is_busy) {
                if !self.only_reads(statement) {
                    *sync::lock(&self.locked) = Locked::default();
                }
                break done;
            }
            sync::lock(&self.locked).is_still();
            if !patience.goes_on().await {
                break done;
            }
        };
        lent.ends_with(done, fault::ends_connection).map_err(Failed::Asking)
    }

    /// How long to try, below what the engine allows for such a call.
    fn limit(&self, statement: &Statement, values: &Values<'_>) -> Duration {
        let ttl = Duration::from_micros(u64::try_from(values.ttl).unwrap_or(0));
        BUSY_LIMIT.min(match () {
            () if is(statement, &self.statements.renew) => ttl / 8,
            () if is(statement, &self.statements.acquire) => ttl / 4,
            () if is(statement, &self.statements.stand_in_line) => ttl / 4,
            () => BUSY_LIMIT,
        })
    }

    /// Who comes while the file is locked has less of it: the time is that of all who wait in line for the connection.
    fn patience(&self, limit: Duration) -> Patience {
        Patience::new(limit.saturating_sub(self.locked_for()).max(LOOK))
    }

    fn only_reads(&self, statement: &Statement) -> bool {
        let reading = [&self.statements.look, &self.statements.held, &self.unused];
        reading.into_iter().any(|reading| is(statement, reading))
    }

    /// How long the file has been locked, as far as is known here.
    fn locked_for(&self) -> Duration {
        sync::lock(&self.locked).how_long()
    }

    /// Whether a file that is locked may be so for a key that is held: not for ever.
    fn is_locked_for_now(&self, failed: &Failed) -> bool {
        fault::is_busy(failed.error()) && self.locked_for() < LOCKED
    }

    /// A connection to the file that is there now.
    async fn lend(&self, limit: Duration) -> Result<Lent<Session>, sqlx::Error> {
        let lent = self.pool.get(|| self.connect_patiently(limit)).await?;
        if lent.connection.file == identity(self.address.path()) {
            return Ok(lent);
        }
        lent.close();
        self.pool.get(|| self.connect_patiently(limit)).await
    }

    async fn connect_patiently(&self, limit: Duration) -> Result<Session, sqlx::Error> {
        let mut patience = self.patience(limit);
        loop {
            let made = self.connect().await;
            if !made.as_ref().is_err_and(fault::is_busy) {
                return made;
            }
            sync::lock(&self.locked).is_still();
            if !patience.goes_on().await {
                return made;
            }
        }
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
        if storage::has_several_names(path) {
            return Err(sqlx::Error::Configuration(
                "it has several names (hard links), and SQLite keeps a log beside each: what is locked under one is free under \
                 the other; accepted is a file with one name, or a symbolic link to it"
                    .into(),
            ));
        }
        let mut connection = self.options.connect().await?;
        let mut mode = ask(&mut connection, "PRAGMA journal_mode").await?;
        if mode != "wal"
            && ask(&mut connection, "SELECT CAST(count(*) AS TEXT) FROM sqlite_master").await? == "0"
        {
            mode = ask(&mut connection, "PRAGMA journal_mode = WAL").await?;
        }
        let synchronous =
            if mode == "wal" { "PRAGMA synchronous = NORMAL" } else { "PRAGMA synchronous = FULL" };
        connection.execute(synchronous).await?;
        Ok(Session { connection, file: identity(path) })
    }

    /// Whether a row was changed; tells those who wait for it, if the statement says so.
    fn changed(&self, rows: &[SqliteRow]) -> bool {
        if rows.first().is_some_and(|row| matches!(row.try_get(0), Ok(1_i64))) {
            self.bell.ring();
        }
        !rows.is_empty()
    }

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.address)
    }
}

impl Database for DatabaseFile {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            across_hosts: false,
            notifies: watch::SUPPORTED,
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

    /// The connection's own thread does the work, and wakes whoever waits.
    type Here = Lent<Session>;

    fn here(&self) -> Option<Lent<Session>> {
        let here = self.pool.spare(SPARED)?;
        if here.connection.file == identity(self.address.path()) {
            return Some(here);
        }
        here.close();
        None
    }

    async fn take_on(&self, here: Lent<Session>, values: &Values<'_>) -> Result<Taken, Fault> {
        match self
            .run_on(here, &self.statements.acquire, values, self.limit(&self.statements.acquire, values))
            .await
        {
            Err(failed) if self.is_locked_for_now(&failed) => Ok(Taken::Locked),
            rows => {
                let rows = rows.map_err(|failed| self.fault(&failed))?;
                Taken::read(&rows).map_err(|error| self.fault(&Failed::Asking(error)))
            }
        }
    }

    async fn release_on(&self, here: Lent<Session>, values: &Values<'_>) -> Result<bool, Fault> {
        let limit = self.limit(&self.statements.release, values);
        let rows = self.run_on(here, &self.statements.release, values, limit).await;
        Ok(self.changed(&rows.map_err(|failed| self.fault(&failed))?))
    }

    async fn take(&self, values: &Values<'_>) -> Result<Taken, Fault> {
        let rows = match self.run(&self.statements.acquire, values).await {
            // Who has the key cannot be said, but that it cannot be had.
            Err(failed) if self.is_locked_for_now(&failed) => return Ok(Taken::Locked),
            rows => rows.map_err(|failed| self.fault(&failed))?,
        };
        Taken::read(&rows).map_err(|error| self.fault(&Failed::Asking(error)))
    }

    async fn rows(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        let rows = match self.run(statement, values).await {
            Err(failed)
                if is(statement, &self.statements.stand_in_line) && self.is_locked_for_now(&failed) =>
            {
                return Ok(Vec::new());
            }
            rows => rows.map_err(|failed| self.fault(&failed))?,
        };
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(Row::read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    async fn change(&self, statement: &Statement, values: &Values<'_>) -> Result<bool, Fault> {
        let begin = Instant::now();
        loop {
            let done = self.run(statement, values).await;
            // The connection is for others meanwhile.
            let again = is(statement, &self.statements.release) && begin.elapsed() < RELEASE_LIMIT;
            match done {
                Err(Failed::Asking(error)) if again && fault::is_busy(&error) => {
                    pause(LONGEST_PAUSE * 4).await;
                }
                Err(failed) => return Err(self.fault(&failed)),
                Ok(rows) => return Ok(self.changed(&rows)),
            }
        }
    }

    async fn prune(&self, values: &Values<'_>) -> Result<bool, Fault> {
        // Anywhere in the table, as names are digests.
        let from = Owner::random().map_err(Fault::failed)?.to_string();
        let values = Values { id: &from, ..values.clone() };
        // Whoever writes keeps all others from it, so not for nothing.
        let unused = self.run(&self.unused, &values).await.map_err(|failed| self.fault(&failed))?;
        Ok(!unused.is_empty() && self.change(&self.statements.prune, &values).await?)
    }

    fn expect(&self, id: &str, request: &Request) {
        self.bell.expect(id, &request.owner);
    }

    async fn listen(&self, id: &str, request: &Request) -> Result<Option<Box<dyn Watch>>, Fault> {
        Ok(self.bell.listen(id, &request.owner))
    }

    fn forget(&self, id: &str, request: &Request) {
        self.bell.forget(id, &request.owner);
    }
}

impl Session {
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        // To the end: only then is it committed.
        statement.with(values).fetch_all(&mut self.connection).await
    }
}

/// Whether it is that very statement.
fn is(statement: &Statement, other: &Statement) -> bool {
    Arc::ptr_eq(&statement.text, &other.text)
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

pub(super) fn identity(path: &Path) -> Option<Identity> {
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
