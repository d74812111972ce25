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
    AssertSqlSafe, ConnectOptions, Connection, Executor, Postgres, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgRow},
};

use super::{address::to_options, fault, listen::Listener};
use crate::{
    backend::{Capabilities, Fault, Request, Watch},
    backends::{
        in_thread::{Driver, Here},
        sql::{
            Address, Connections, Database, Failed, Row, Statement, Statements, Style, Taken, Values, digits,
            statements,
        },
    },
    error::Result,
    lease::Owner,
    sync::{self, Mutex},
};

/// How many connections a client has at most, beside the one that listens and those of blocking callers.
const CONNECTIONS: usize = 4;

/// How many of them are not for callers who drive them themselves, and may leave them alone in the middle.
const SPARED: usize = 1;

/// How long a statement waits for a row that a transaction keeps.
const LOCKED: Duration = Duration::from_millis(50);

/// How long a connection may take to be made.
const CONNECTS: Duration = Duration::from_secs(3);

/// How long a statement may take on the server, and how much later its answer may come: then it is asked again on
/// another connection, while there is time.
const TAKES: Duration = Duration::from_secs(2);
const ARRIVES: Duration = Duration::from_millis(500);

/// A database of a PostgreSQL server.
pub struct Server {
    pub(super) wire: Arc<Wire>,
    statements: Statements,
    create: Statement,
    prepare: Statement,
    pub(super) take_in_transaction: Statement,
    listener: Listener,
}

/// How to reach it.
pub(super) struct Wire {
    pub(super) address: Address,
    options: PgConnectOptions,
    /// What a session of our own can show.
    proof: String,
    /// How a connection is asked what it is.
    asked: String,
    connections: Connections<Session>,
    /// Somebody stands in between who may give every transaction another session.
    pooled: AtomicBool,
    /// Where those who wait are told, as the last connection has shown.
    channel: Mutex<Arc<str>>,
}

/// A connection, and what it is.
#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    /// Nobody else's: what is prepared here is there the next time.
    own: bool,
    /// The server answers before what it has done is on its disk, unless it is told otherwise.
    hasty: bool,
    /// Where those who wait are told.
    channel: Arc<str>,
}

/// What a connection says that it is.
pub(super) struct Shown {
    pub(super) own: bool,
    hasty: bool,
    pub(super) channel: Arc<str>,
    /// The table has other times than ours, by which leases would end before their holders know.
    coarse: bool,
}

impl Server {
    pub(super) fn new(address: Address) -> Result<Self> {
        let statement = |file: &str| {
            Statement::new(file, include_str!("statements/row.sql"), &address.table, Style::Numbered('$'))
        };
        let statements = statements!(statement);
        let create = statement(super::CREATE_TABLE);
        let place = include_str!("statements/place.sql").lines().filter(|line| !line.starts_with("--"));
        let place = place.collect::<Vec<_>>().join("\n");
        let placed = |file: &str| statement(&file.replace("{place}", &place));
        let prepare = placed(include_str!("statements/prepare.sql"));
        let take_in_transaction = placed(include_str!("statements/take_in_transaction.sql"));
        let wire = Arc::new(Wire::new(address)?);
        let listener = Listener::new(&wire);
        Ok(Self { wire, statements, create, prepare, take_in_transaction, listener })
    }

    /// Runs a statement; where the table is missing, it is made.
    async fn run(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, Failed> {
        match self.wire.run(statement, values).await {
            Err(Failed::Asking(error)) if fault::is_missing(&error) => {
                match self.wire.run(&self.create, &Values::default()).await {
                    Err(Failed::Asking(error)) if fault::is_there_already(&error) => {}
                    made => drop(made?),
                }
                self.wire.run(statement, values).await
            }
            done => done,
        }
    }

    /// Makes the row of a key where there is none. Returns which table it is in.
    pub(super) async fn make_row(&self, values: &Values<'_>) -> Result<String, Fault> {
        let rows = self.run(&self.prepare, values).await.map_err(|failed| self.fault(&failed))?;
        let place = rows.first().map_or(Err(sqlx::Error::RowNotFound), |row| row.try_get(0));
        place.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.wire.address)
    }

    /// Why a statement failed outside of the background thread, which makes a table that is missing.
    fn elsewhere(&self, error: sqlx::Error) -> Fault {
        if fault::is_missing(&error) {
            return Fault::elsewhere();
        }
        self.fault(&Failed::Asking(error))
    }

    fn read(&self, rows: &[PgRow]) -> Result<Vec<Row>, Fault> {
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(Row::read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }
}

impl Database for Server {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            notifies: true,
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

    type Here = Here<Session>;

    /// It reads and writes by the background thread's reactor, whoever polls.
    fn here(&self) -> Option<Here<Session>> {
        self.wire.connections.shared().spare(SPARED).map(Here::Polled)
    }

    fn here_blocking(&self, limit: Duration) -> Option<(Here<Session>, Option<Arc<Driver>>)> {
        let driven = self.wire.connections.lend_blocking(limit, || self.wire.connect());
        driven.or_else(|| Some((self.here()?, None)))
    }

    fn here_async(&self) -> Option<(Here<Session>, bool)> {
        let connect = |wire: Arc<Wire>| async move { wire.connect().await };
        let of_his = self.wire.connections.lend_async(&self.wire, connect);
        of_his.map(|here| (here, true)).or_else(|| Some((self.here()?, false)))
    }

    async fn take_on(&self, here: Here<Session>, values: &Values<'_>) -> Result<Taken, Fault> {
        match self.wire.run_on(here, &self.statements.acquire, values).await {
            Ok(rows) => Taken::read(&rows).map_err(|error| self.fault(&Failed::Asking(error))),
            Err(error) if fault::is_locked(&error) => Ok(Taken::Locked),
            Err(error) => Err(self.elsewhere(error)),
        }
    }

    async fn release_on(&self, here: Here<Session>, values: &Values<'_>) -> Result<bool, Fault> {
        let rows = self.wire.run_on(here, &self.statements.release, values).await;
        Ok(!rows.map_err(|error| self.elsewhere(error))?.is_empty())
    }

    async fn take(&self, values: &Values<'_>) -> Result<Taken, Fault> {
        match self.run(&self.statements.acquire, values).await {
            Ok(rows) => Taken::read(&rows).map_err(|error| self.fault(&Failed::Asking(error))),
            Err(Failed::Asking(error)) if fault::is_locked(&error) => Ok(Taken::Locked),
            Err(failed) => Err(self.fault(&failed)),
        }
    }

    async fn rows(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        let rows = self.run(statement, values).await.map_err(|failed| self.fault(&failed))?;
        self.read(&rows)
    }

    async fn stand_in_line(&self, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        match self.run(&self.statements.stand_in_line, values).await {
            Ok(rows) => self.read(&rows),
            // A transaction keeps the row, so that nobody can have it, and whose it is cannot be said.
            Err(Failed::Asking(error)) if fault::is_locked(&error) => Ok(vec![Row::kept_for(LOCKED)]),
            Err(failed) => Err(self.fault(&failed)),
        }
    }

    async fn change(&self, statement: &Statement, values: &Values<'_>) -> Result<bool, Fault> {
        let rows = self.run(statement, values).await.map_err(|failed| self.fault(&failed))?;
        Ok(!rows.is_empty())
    }

    fn expect(&self, id: &str, request: &Request) {
        self.listener.expect(id, &request.owner);
    }

    async fn listen(&self, id: &str, request: &Request) -> Result<Option<Box<dyn Watch>>, Fault> {
        Ok(self.listener.listen(id, &request.owner))
    }

    fn forget(&self, id: &str, request: &Request) {
        self.listener.forget(id, &request.owner);
    }
}

impl Wire {
    fn new(address: Address) -> Result<Self> {
        let proof = Owner::random()?.to_string();
        let asked = format!(
            "SELECT coalesce(current_setting('lock.session', true), ''), \
             current_setting('synchronous_commit') = 'off', coalesce((SELECT nspname FROM pg_catalog.pg_class AS c \
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('{0}')), \
             current_schema(), ''), EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('{0}') \
             AND attname IN ('acquired_at', 'expires_at') \
             AND (atttypid <> CAST('timestamptz' AS regtype) OR atttypmod NOT IN (-1, 6)))",
            address.table.quoted
        );
        let options = to_options(&address)
            // Poolers refuse what they do not know, and no fraction is ever asked for.
            .extra_float_digits(None)
            .application_name("lock")
            .disable_statement_logging();
        let connections = Connections::new(CONNECTIONS, address.on_runtime);
        let (pooled, channel) = (AtomicBool::new(false), Mutex::new("".into()));
        Ok(Self { address, options, proof, asked, connections, pooled, channel })
    }

    /// How to make a connection that can be told from one of somebody in between.
    pub(super) fn own_options(&self) -> PgConnectOptions {
        self.options.clone().options([
            ("lock.session", self.proof.as_str()),
            ("lock_timeout", &LOCKED.as_millis().to_string()),
            ("statement_timeout", &TAKES.as_millis().to_string()),
            ("default_transaction_isolation", "read committed"),
        ])
    }

    /// Whether there is a session of our own to listen on, as far as is known.
    pub(super) fn is_direct(&self) -> bool {
        !self.pooled.load(Ordering::Relaxed)
    }

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        let connected = PgConnection::connect_with(&self.own_options()).await;
        let connected = match connected {
            Err(error) if fault::is_of_a_pooler(&error) => None,
            connected => Some(connected?),
        };
        let mut connection = match connected {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        let Shown { own, hasty, channel, coarse } = self.look_at(&mut connection).await?;
        if coarse {
            return Err(sqlx::Error::Configuration(
                "the table is another one than this version of the library makes: its times are to be timestamptz, as leases \
                 would end before their holders know"
                    .into(),
            ));
        }
        if own && hasty {
            // A lease that was granted is not to be forgotten when the server crashes.
            connection.execute("SET synchronous_commit = on").await?;
        }
        if !own && !self.pooled.swap(true, Ordering::Relaxed) {
            tracing::info!(
                address = %self.address,
                "a pooler stands in between, so that waiting callers look again every `retry`"
            );
        }
        if own {
            self.pooled.store(false, Ordering::Relaxed);
        }
        self.connections.reached();
        Ok(Session { connection, own, hasty, channel })
    }

    pub(super) async fn look_at<'c>(
        &self,
        connection: impl Executor<'c, Database = Postgres>,
    ) -> Result<Shown, sqlx::Error> {
        let asked = AssertSqlSafe(self.asked.clone());
        let shown = sqlx::raw_sql(asked).fetch_one(connection).await?;
        let schema: String = shown.try_get(2)?;
        let channel: Arc<str> = self.address.table.channel(&schema).into();
        *sync::lock(&self.channel) = Arc::clone(&channel);
        let own = shown.try_get::<String, _>(0)? == self.proof;
        Ok(Shown { own, hasty: shown.try_get(1)?, channel, coarse: shown.try_get(3)? })
    }

    /// Where those who wait are told, if there ever was a connection.
    pub(super) fn channel(&self) -> Arc<str> {
        Arc::clone(&sync::lock(&self.channel))
    }

    async fn run(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, Failed> {
        let (connections, shared) = (&self.connections, self.connections.shared());
        let connecting = || shared.in_time(CONNECTS, self.connect());
        let mut here = connections.get(connecting).await.map_err(Failed::Connecting)?;
        let done = shared.in_time(TAKES + ARRIVES, here.connection().run(statement, values)).await;
        connections.end(here, done, fault::ends_connection).map_err(Failed::Asking)
    }

    /// The same on a connection that is there, in whatever thread or task: its limit is the caller's.
    async fn run_on(
        &self,
        mut here: Here<Session>,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let done = here.connection().run(statement, values).await;
        self.connections.end(here, done, fault::ends_connection)
    }
}

impl Session {
    async fn run(&mut self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
        let values = Values { channel: &self.channel, ..values.clone() };
        if self.own {
            return fetch(statement, &values, &mut self.connection).await;
        }
        // What was prepared may be on another session by the next transaction, and somebody else's here. So the values
        // stand in the statement, in letters that mean nothing to SQL, and all of it is one transaction.
        let filled = statement.filled(&values, |text| {
            format!("convert_from(decode('{}', 'hex'), 'UTF8')", digits(text.as_bytes()))
        });
        let filled = format!(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {}; \
             SET LOCAL statement_timeout = {}; {}{filled}",
            LOCKED.as_millis(),
            TAKES.as_millis(),
            if self.hasty { "SET LOCAL synchronous_commit = on; " } else { "" },
        );
        sqlx::raw_sql(AssertSqlSafe(filled)).fetch_all(&mut self.connection).await
    }
}

/// Runs a statement that stays prepared.
pub(super) async fn fetch<'c>(
    statement: &Statement,
    values: &Values<'_>,
    on: impl Executor<'c, Database = Postgres>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    statement.with(values).fetch_all(on).await
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.wire.address, f)
    }
}
