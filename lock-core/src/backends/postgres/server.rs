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
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgRow},
};

use super::{address::Address, fault, listen::Listener};
use crate::{
    backend::{Capabilities, Fault, Request, Watch},
    backends::sql::{Database, Failed, Pool, Row, Statement, Statements, Style, Value, Values},
    error::Result,
    lease::Owner,
};

/// How many connections a client has at most, beside the one that listens.
const CONNECTIONS: usize = 4;

/// How long a statement waits for a row that a transaction keeps.
const LOCKED: Duration = Duration::from_millis(100);

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
    /// Where those who wait are told, the same for all who use the table.
    pub(super) channel: String,
    pool: Pool<Session>,
    /// Somebody stands in between who may give every transaction another session.
    pooled: AtomicBool,
}

struct Session {
    connection: PgConnection,
    /// Nobody else's: what is prepared here is there the next time.
    own: bool,
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

    fn fault(&self, failed: &Failed) -> Fault {
        fault::of(failed, &self.wire.address)
    }

    /// The values as this database needs them.
    fn told<'a>(&'a self, values: &Values<'a>) -> Values<'a> {
        Values { channel: &self.wire.channel, ..values.clone() }
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
        let rows = match self.run(statement, values).await {
            // A transaction keeps the key: whose it is cannot be said.
            Err(Failed::Asking(error)) if fault::is_locked(&error) => return Ok(Vec::new()),
            rows => rows.map_err(|failed| self.fault(&failed))?,
        };
        let read: Result<Vec<Row>, sqlx::Error> = rows.iter().map(read).collect();
        read.map_err(|error| self.fault(&Failed::Asking(error)))
    }

    async fn change(&self, statement: &Statement, values: &Values<'_>) -> Result<bool, Fault> {
        let rows = self.run(statement, &self.told(values)).await.map_err(|failed| self.fault(&failed))?;
        Ok(!rows.is_empty())
    }

    fn expect(&self, id: &str, request: &Request) {
        self.listener.expect(id, &request.owner);
    }

    async fn listen(&self, id: &str, request: &Request) -> Result<Option<Box<dyn Watch>>, Fault> {
        Ok(self.listener.listen(id, &request.owner).await)
    }

    fn forget(&self, id: &str, request: &Request) {
        self.listener.forget(id, &request.owner);
    }
}

impl Wire {
    fn new(address: Address) -> Result<Self> {
        use std::fmt::Write;
        let proof = Owner::random()?.to_string();
        let mut channel = String::from("lock_");
        for byte in &hmac_sha256::Hash::hash(address.table.name.as_bytes())[..8] {
            let _ = write!(channel, "{byte:02x}");
        }
        let options = address
            .to_options()
            // Poolers refuse what they do not know, and no fraction is ever asked for.
            .extra_float_digits(None)
            .application_name("lock")
            .disable_statement_logging();
        let (pool, pooled) = (Pool::new(CONNECTIONS), AtomicBool::new(false));
        Ok(Self { address, options, proof, channel, pool, pooled })
    }

    /// How to make a connection that can be told from one of somebody in between.
    pub(super) fn own_options(&self) -> PgConnectOptions {
        self.options.clone().options([
            ("lock.session", self.proof.as_str()),
            ("lock_timeout", &LOCKED.as_millis().to_string()),
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
        let asked = "SELECT coalesce(current_setting('lock.session', true), '')";
        let shown = sqlx::Executor::fetch_one(&mut connection, asked).await?;
        let own = shown.try_get::<String, _>(0)? == self.proof;
        if !own && !self.pooled.swap(true, Ordering::Relaxed) {
            tracing::info!(
                address = %self.address,
                "a pooler stands in between, so that waiting callers look again every `retry`"
            );
        }
        if own {
            self.pooled.store(false, Ordering::Relaxed);
        }
        Ok(Session { connection, own })
    }

    pub(super) async fn run(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<PgRow>, Failed> {
        let mut lent = self.pool.get(|| self.connect()).await.map_err(Failed::Connecting)?;
        let done = lent.connection.run(statement, values).await;
        match &done {
            Err(error) if fault::ends_connection(error) => lent.is_broken(),
            _ => lent.give_back(),
        }
        done.map_err(Failed::Asking)
    }
}

impl Session {
    async fn run(&mut self, statement: &Statement, values: &Values<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
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
        let filled = statement.filled(values, |text| {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("convert_from(decode('{digits}', 'hex'), 'UTF8')")
        });
        let filled = format!("SET LOCAL lock_timeout = {}; {filled}", LOCKED.as_millis());
        sqlx::raw_sql(AssertSqlSafe(filled)).fetch_all(&mut self.connection).await
    }
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
