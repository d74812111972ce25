//! The connections to one database, and what is asked on them.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgRow},
};

use super::{address::Address, fault, listen::Listener};
use crate::{
    backend::{Capabilities, Fault, Request, Watch},
    backends::sql::{Database, Failed, Pool, Row, Statement, Statements, Style, Value, Values, digits},
    error::Result,
    lease::Owner,
    race::{Either, race},
};

/// How many connections a client has at most, beside the one that listens.
const CONNECTIONS: usize = 4;

/// How long a statement waits for a row that a transaction keeps.
const LOCKED: Duration = Duration::from_millis(100);

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
    pool: Pool<Session>,
    /// Somebody stands in between who may give every transaction another session.
    pooled: AtomicBool,
}

struct Session {
    connection: PgConnection,
    /// Nobody else's: what is prepared here is there the next time.
    own: bool,
    /// The server answers before what it has done is on its disk, unless it is told otherwise.
    hasty: bool,
    /// Where those who wait are told.
    channel: String,
}

/// What a connection says that it is.
struct Shown {
    own: bool,
    hasty: bool,
    channel: String,
}

impl Server {
    pub(super) fn new(address: Address) -> Result<Self> {
        let statement = |file| {
            Statement::new(file, include_str!("statements/row.sql"), &address.table, Style::Numbered('$'))
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
        let wire = Arc::new(Wire::new(address)?);
        Ok(Self { listener: Listener::new(&wire), wire, statements, create })
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

    fn read(&self, rows: &[PgRow]) -> Result<Vec<Row>, Fault> {
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.wire.address)
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

    async fn take(&self, values: &Values<'_>) -> Result<Option<(i64, i64)>, Fault> {
        match self.run(&self.statements.acquire, values).await {
            Ok(rows) => {
                let tokens = rows.first().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose();
                tokens.map_err(|error| self.fault(&Failed::Asking(error)))
            }
            Err(Failed::Asking(error)) if fault::is_locked(&error) => Ok(None),
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
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('{}')), \
             current_schema(), '')",
            address.table.quoted
        );
        let options = address
            .to_options()
            // Poolers refuse what they do not know, and no fraction is ever asked for.
            .extra_float_digits(None)
            .application_name("lock")
            .disable_statement_logging();
        let (pool, pooled) = (Pool::new(CONNECTIONS), AtomicBool::new(false));
        Ok(Self { address, options, proof, asked, pool, pooled })
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

    async fn connect_in_time(&self) -> Result<Session, sqlx::Error> {
        let connecting = tokio::time::timeout(CONNECTS, self.connect());
        match race(connecting, self.pool.in_vain()).await {
            Either::First(Ok(connected)) => connected,
            Either::First(Err(_)) | Either::Second(()) => Err(silent()),
        }
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
        let Shown { own, hasty, channel } = self.look_at(&mut connection).await?;
        if own && hasty {
            // A lease that was granted is not to be forgotten when the server crashes.
            sqlx::Executor::execute(&mut connection, "SET synchronous_commit = on").await?;
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
        Ok(Session { connection, own, hasty, channel })
    }

    async fn look_at(&self, connection: &mut PgConnection) -> Result<Shown, sqlx::Error> {
        let asked = AssertSqlSafe(self.asked.clone());
        let shown = sqlx::raw_sql(asked).fetch_one(connection).await?;
        let schema: String = shown.try_get(2)?;
        Ok(Shown {
            own: shown.try_get::<String, _>(0)? == self.proof,
            hasty: shown.try_get(1)?,
            channel: self.address.table.channel(&schema),
        })
    }

    /// Where those who wait are told.
    pub(super) async fn channel(&self, connection: &mut PgConnection) -> Result<String, sqlx::Error> {
        Ok(self.look_at(connection).await?.channel)
    }

    async fn run(&self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, Failed> {
        let mut lent = self.pool.get(|| self.connect_in_time()).await.map_err(Failed::Connecting)?;
        let answered = tokio::time::timeout(TAKES + ARRIVES, lent.connection.run(statement, values));
        let done = match race(answered, self.pool.in_vain()).await {
            Either::First(Ok(done)) => done,
            Either::First(Err(_)) | Either::Second(()) => Err(silent()),
        };
        match &done {
            Err(error) if fault::ends_connection(error) => lent.is_broken(),
            _ => lent.give_back(),
        }
        done.map_err(Failed::Asking)
    }
}

impl Session {
    async fn run(&mut self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
        let values = Values { channel: &self.channel, ..values.clone() };
        if self.own {
            let mut query = sqlx::query(AssertSqlSafe(Arc::clone(&statement.text)));
            for parameter in &statement.parameters {
                query = match values.get(*parameter) {
                    Value::Text(text) => query.bind(text),
                    Value::Number(number) => query.bind(number),
                };
            }
            return query.fetch_all(&mut self.connection).await;
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

fn silent() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))
}

fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        key: row.try_get(0)?,
        owner: row.try_get(1)?,
        token: row.try_get(2)?,
        last_token: row.try_get(3)?,
        left: row.try_get(4)?,
        acquired_at: row.try_get(5)?,
        host: row.try_get(6)?,
        pid: row.try_get(7)?,
        place: row.try_get(8)?,
        line: row.try_get(9)?,
    })
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.wire.address, f)
    }
}
