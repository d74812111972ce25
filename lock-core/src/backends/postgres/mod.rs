//! `postgres://`, `postgresql://`: a table in a PostgreSQL, from 11 on; tested with 15.
//!
//! A key is a row that says whose it is and until when, by the clock of the server. Nothing stays open during a lease: no
//! transaction, no connection. Waiters stand in line in the row; a release tells them through `LISTEN` and `NOTIFY`.
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all hosts that use the table, over restarts and over a fail-over to a synchronous standby | a lease granted in the last moments before a fail-over to an asynchronous standby: the guard is told at its next renewal |
//! | fencing tokens grow: max(last + 1, server time in µs) | against a clock that goes back together with lost rows, or by more than a day |
//! | a lease lasts its ttl by the server's clock, whatever the clocks of the clients say | the same if the server's clock is set forward: the lease is over earlier |
//! | what was granted is still held after a crash, also where `synchronous_commit` is off: our sessions turn it on | the same where `fsync` is off |
//! | waiters are woken by the release, across processes, first come first served | the same behind a pooler in transaction mode: they look again every `retry` |
//! | it works behind pgbouncer in any mode, and notices that by itself | a place in a pooler in session mode is taken by each of a client's connections |
//! | a row that somebody's transaction keeps is held: nobody waits for it for longer than 100 ms | renewals while it lasts: one that lasts longer than a lease is a loss |
//!
//! A client has at most four connections, two more for callers that block outside of a tokio runtime, which drive them in their
//! own thread, and one that listens, from when somebody waits. What is set for a role or a database does not matter to it (`lock_timeout`, `default_transaction_isolation`, and but for poolers
//! `statement_timeout`). Where `search_path` is not the same for all users, the schema belongs into the table's name.
//! A key can have the letters that the encoding of the database has: `UTF8` has all, `LATIN1` refuses most of them. Where an
//! administrator ends idle sessions (`idle_session_timeout`) within less than a second, `mode=advisory` loses its locks.
//!
//! # Settings
//! Beside those of every locker, in the URL's query: `table=lock_leases`, with a schema before a dot or without; `host=`
//! for the directory of a socket; `on_runtime=no`; `mode=advisory` for [session locks](Advisory) instead of leases; `sslmode`, `sslrootcert`, `sslcert` and `sslkey` as libpq has them. What the URL leaves
//! open of user, password and TLS is taken from where libpq takes it: `PGUSER`, `PGPASSWORD`, `PGSSLMODE`, `~/.pgpass`.
//!
//! With `on_runtime=yes`, async callers acquire and release on connections of their own tokio runtime, four at most on each, beside
//! those above: up to half of the time of one caller where the server is on the same machine, next to nothing over a network. Such a
//! runtime needs `enable_io` and `enable_time`, as `#[tokio::main]` has; one without panics. Session locks are all on one
//! session, so that it is an error with `mode=advisory`.
//!
//! # Permissions
//! The table is made when it is first missed, for which a user needs `CREATE` on the schema. For those who make it in a
//! migration of their own: [`CREATE_TABLE`], and then `GRANT SELECT, INSERT, UPDATE, DELETE ON lock_leases TO app` is
//! enough; without `DELETE`, unused rows stay.
//!
//! # Poolers
//! A session is known to be one's own by a setting that is given when the connection is made, and read back. Where it is
//! not there, somebody stands in between who may give every transaction another session: then no statement is prepared,
//! and nobody listens.

mod address;
mod advisory;
mod fault;
mod in_transaction;
mod listen;
mod server;
mod session;
mod waiting;

use std::sync::Arc;

pub(crate) use self::{
    address::{QUERY, is_advisory, parse},
    in_transaction::{Outcome, acquire as acquire_in},
};
pub use self::{advisory::Advisory, server::Server};
pub(crate) use super::sql::Address;
use super::{sql::Rows, tls};
use crate::{
    error::{Error, Result},
    queue::Queue,
    shared::Shared,
    url::Place,
};

/// The statement that makes the table, for a migration of one's own; `{table}` stands for its name.
///
/// ```
/// let migration = lock_core::backends::postgres::CREATE_TABLE.replace("{table}", "lock_leases");
/// assert!(migration.contains("CREATE TABLE IF NOT EXISTS lock_leases"));
/// ```
pub const CREATE_TABLE: &str = include_str!("statements/create.sql");

/// Locks as rows of a table in a PostgreSQL.
///
/// ```no_run
/// use lock_core::Locker;
///
/// let locker = Locker::open("postgres://app:secret@db.example/shop?prefix=app:")?;
/// let guard = locker.lock("report").acquire()?;
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// A clone is the same client.
pub type Postgres = Rows<Server>;

impl Postgres {
    /// A client of its own of the database behind a URL; settings in its query are not for the backend.
    ///
    /// Lockers that are [opened](crate::Locker::open) by URL share one client per database and user, which is cheaper.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a PostgreSQL.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::Postgres(address) => Self::at(address),
            _ => Err(Error::config(
                "it is not the URL of a PostgreSQL; accepted are postgres:// and postgresql://",
            )),
        }
    }

    fn at(address: Address) -> Result<Self> {
        tls::install();
        let table = address.table.clone();
        Ok(Self::new(Server::new(address)?, table))
    }

    /// The one of this process for an address, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Result<Arc<(Arc<Queue>, Arc<Self>)>> {
        static OPENED: Shared<(Arc<Queue>, Arc<Postgres>)> = Shared::new();
        let name = address.identity();
        let made = Self::at(address)?;
        Ok(OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(made))))
    }
}

impl Advisory {
    /// A client of its own of the database behind a URL with `mode=advisory`; other settings in its query are not for the
    /// backend.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a PostgreSQL, or says another mode.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::PostgresAdvisory(address) => {
                tls::install();
                Self::at(address)
            }
            _ => Err(Error::config(
                "it is not the URL of session locks; accepted is postgres://…?mode=advisory",
            )),
        }
    }
}
