//! The connections to one database, and what is asked on them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, Row as _,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlQueryResult, MySqlRow},
};

use super::{address::to_options, fault};
use crate::{
    backend::{Capabilities, Fault},
    backends::{
        in_thread::{Driver, Here},
        sql::{
            Address, Connections, Database, Failed, Row, Statement, Statements, Style, Taken, Values,
            statements,
        },
    },
    locker::limited_anywhere,
};

/// How many connections a client has at most, beside those of blocking callers.
const CONNECTIONS: usize = 4;

/// How long a connection may take to be made, and an answer to come: a row that somebody's transaction keeps is waited for
/// by the server, for a second at least. Then it is asked again on another connection, while there is time.
const CONNECTS: Duration = Duration::from_secs(3);
const ANSWERS: Duration = Duration::from_secs(3);

/// How long a caller waits who drives a connection himself: less than the server does for a row, so that it is the
/// background thread that learns what came of it, in time for who does not wait.
const ANSWERS_HERE: Duration = Duration::from_millis(400);

/// What a statement is run for.
#[derive(Clone, Copy)]
enum Answer {
    Count,
    Rows,
}

/// What came of it.
#[derive(Default)]
struct Done {
    count: MySqlQueryResult,
    rows: Vec<MySqlRow>,
}

/// What a session must be like, whatever the server or its administrator has made the default: a statement is a
/// transaction, waits a second at most (the least there is) for a row that another transaction keeps, or a table that is
/// locked or backed up (a day by default), and does not lock what is between rows; the session is not ended for being idle
/// before its client ends it.
const SESSION: &str = "SET NAMES utf8mb4, autocommit = 1, innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, \
    wait_timeout = 28800, \
    sql_safe_updates = 0, sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
    SELECT CAST(@@SESSION.binlog_format AS CHAR CHARACTER SET utf8mb4), \
    CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS SIGNED), ";

/// A server that replicates statements as they are written takes none in that isolation.
const STRICTER: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// A database of a MySQL or MariaDB server.
pub struct Server {
    wire: Arc<Wire>,
    statements: Statements,
    create: Statement,
}

/// How to reach it.
struct Wire {
    address: Address,
    options: MySqlConnectOptions,
    /// [`SESSION`], and what is wrong with the table.
    session: String,
    connections: Connections<MySqlConnection>,
    /// That a crash may make the server forget has been said.
    warned: AtomicBool,
}

impl Server {
    pub(super) fn new(address: Address) -> Self {
        let statement = |file: &str| {
            let file = file.replace("{free}", &bare(include_str!("statements/free.sql")));
            let file = file.replace("{now}", &bare(include_str!("statements/now.sql")));
            Statement::new(&file, include_str!("statements/row.sql"), &address.table, Style::Marked)
        };
        let statements = statements!(statement);
        let create = statement(super::CREATE_TABLE);
        // What sqlx would set is set by `SESSION`, in the same round trip.
        let options = to_options(&address)
            .set_names(false)
            .timezone(None)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .disable_statement_logging();
        let (schema, name) = match address.table.name.split_once('.') {
            Some((schema, name)) => (format!("'{schema}'"), name),
            None => ("DATABASE()".to_owned(), &*address.table.name),
        };
        let check = bare(include_str!("statements/check.sql"));
        let session = SESSION.to_owned() + &check.replace("{schema}", &schema).replace("{name}", name);
        let connections = Connections::new(CONNECTIONS, address.on_runtime);
        let wire = Arc::new(Wire { address, options, session, connections, warned: AtomicBool::new(false) });
        Self { wire, statements, create }
    }

    /// Runs a statement; where the table is missing, it is made.
    async fn run(&self, statement: &Statement, values: &Values<'_>, answer: Answer) -> Result<Done, Failed> {
        match self.once(statement, values, answer).await {
            Err(Failed::Asking(error)) if fault::is_missing(&error) => {
                self.once(&self.create, &Values::default(), Answer::Count).await?;
                self.once(statement, values, answer).await
            }
            done => done,
        }
    }

    async fn once(&self, statement: &Statement, values: &Values<'_>, answer: Answer) -> Result<Done, Failed> {
        let (connections, shared) = (&self.wire.connections, self.wire.connections.shared());
        let connecting = || shared.in_time(CONNECTS, self.wire.connect());
        let mut here = connections.get(connecting).await.map_err(Failed::Connecting)?;
        let done = shared.in_time(ANSWERS, ask(here.connection(), statement, values, answer)).await;
        connections.end(here, done, fault::ends_connection).map_err(Failed::Asking)
    }

    /// Counts what a statement does on a connection that is there, in whatever thread or task: its limit is the caller's.
    async fn run_on(
        &self,
        mut here: Here<MySqlConnection>,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<MySqlQueryResult, sqlx::Error> {
        let done = ask(here.connection(), statement, values, Answer::Count).await;
        self.wire.connections.end(here, done, fault::ends_connection).map(|done| done.count)
    }

    /// Why a statement failed outside of the background thread, which makes a table that is missing.
    fn elsewhere(&self, error: sqlx::Error) -> Fault {
        if fault::is_missing(&error) {
            return Fault::elsewhere();
        }
        self.fault(&Failed::Asking(error))
    }

    async fn execute(&self, statement: &Statement, values: &Values<'_>) -> Result<MySqlQueryResult, Failed> {
        self.run(statement, values, Answer::Count).await.map(|done| done.count)
    }

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.wire.address)
    }
}

impl Wire {
    async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = MySqlConnection::connect_with(&self.options).await?;
        let shown = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(self.session.clone()))).await?;
        if let Some(wrong) = wrong_with(shown.try_get(2)?) {
            return Err(sqlx::Error::Configuration(
                format!("the table is another one than this version of the library makes: {wrong}").into(),
            ));
        }
        if shown.try_get::<Option<String>, _>(0)?.as_deref() == Some("STATEMENT") {
            connection.execute(sqlx::raw_sql(STRICTER)).await?;
        }
        if shown.try_get::<i64, _>(1)? != 1 && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                address = %self.address,
                "innodb_flush_log_at_trx_commit is not 1: what was granted in the last second may be forgotten in a crash"
            );
        }
        self.connections.reached();
        Ok(connection)
    }
}

impl Database for Server {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
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

    type Here = Here<MySqlConnection>;

    /// To poll one of the background thread's costs no less than two hops through it.
    fn here(&self) -> Option<Here<MySqlConnection>> {
        None
    }

    fn here_blocking(&self, limit: Duration) -> Option<(Here<MySqlConnection>, Option<Arc<Driver>>)> {
        self.wire.connections.lend_blocking(limit, || self.wire.connect())
    }

    fn here_async(&self) -> Option<(Here<MySqlConnection>, bool)> {
        let connect = |wire: Arc<Wire>| async move { wire.connect().await };
        self.wire.connections.lend_async(&self.wire, connect).map(|here| (here, true))
    }

    async fn take_on(&self, here: Here<MySqlConnection>, values: &Values<'_>) -> Result<Taken, Fault> {
        let taking = async {
            match self.run_on(here, &self.statements.acquire, values).await {
                Ok(done) => Ok(taken(&done, values)),
                Err(error) if fault::is_locked(&error) => Ok(Taken::Locked),
                Err(error) => Err(self.elsewhere(error)),
            }
        };
        limited_anywhere(ANSWERS_HERE, taking).await
    }

    async fn release_on(&self, here: Here<MySqlConnection>, values: &Values<'_>) -> Result<bool, Fault> {
        let releasing = async {
            let done = self.run_on(here, &self.statements.release, values).await;
            // Rows that were found, as in `change`.
            Ok(done.map_err(|error| self.elsewhere(error))?.rows_affected() > 0)
        };
        limited_anywhere(ANSWERS_HERE, releasing).await
    }

    async fn take(&self, values: &Values<'_>) -> Result<Taken, Fault> {
        match self.execute(&self.statements.acquire, values).await {
            Ok(done) => Ok(taken(&done, values)),
            Err(Failed::Asking(error)) if fault::is_locked(&error) => Ok(Taken::Locked),
            Err(failed) => Err(self.fault(&failed)),
        }
    }

    async fn rows(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        let rows =
            self.run(statement, values, Answer::Rows).await.map_err(|failed| self.fault(&failed))?.rows;
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(Row::read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    /// In two steps, as an `UPDATE` returns no rows that both servers know of. Between them, the key may have been
    /// released: then the row says that it is free and who is first in line, and it is asked for again.
    async fn stand_in_line(&self, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        match self.execute(&self.statements.stand_in_line, values).await {
            Ok(done) if done.rows_affected() == 0 => return Ok(Vec::new()),
            Ok(_) => {}
            // A transaction keeps the row: it can be read all the same.
            Err(Failed::Asking(error)) if fault::is_locked(&error) => {}
            Err(failed) => return Err(self.fault(&failed)),
        }
        self.rows(&self.statements.look, values).await
    }

    async fn change(&self, statement: &Statement, values: &Values<'_>) -> Result<bool, Fault> {
        // Rows that were found, whether or not they are different now (CLIENT_FOUND_ROWS, which sqlx asks for).
        let done = self.execute(statement, values).await.map_err(|failed| self.fault(&failed))?;
        Ok(done.rows_affected() > 0)
    }
}

async fn ask(
    connection: &mut MySqlConnection,
    statement: &Statement,
    values: &Values<'_>,
    answer: Answer,
) -> Result<Done, sqlx::Error> {
    let query = statement.with(values);
    Ok(match answer {
        Answer::Count => Done { count: query.execute(connection).await?, rows: Vec::new() },
        Answer::Rows => Done { rows: query.fetch_all(connection).await?, ..Done::default() },
    })
}

/// What came of an attempt: the first token is what an `INSERT` says that it has made.
fn taken(done: &MySqlQueryResult, values: &Values<'_>) -> Taken {
    let first = i64::try_from(done.last_insert_id()).unwrap_or(0);
    let last = first + values.reserve - 1;
    if first > 0 { Taken::Granted { first, last } } else { Taken::Refused }
}

/// What `check.sql` found.
const fn wrong_with(found: i64) -> Option<&'static str> {
    match found {
        1 => Some("its id is to be its primary key, and nothing else unique, as a key would be held twice"),
        2 => Some("its times are to be DATETIME(6), as leases would end before their holders know"),
        _ => None,
    }
}

/// A part of a statement that stands in a file of its own, without its comment.
fn bare(file: &str) -> String {
    let lines = file.lines().filter(|line| !line.starts_with("--"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.wire.address, f)
    }
}
