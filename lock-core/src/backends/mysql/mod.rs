//! `mysql://`, `mariadb://`: a table in a MariaDB or a MySQL. Tested with MariaDB 10.11; written for MySQL 8 as well, and
//! untested there.
//!
//! A key is a row that says whose it is and until when, by the clock of the server. Nothing stays open during a lease: no
//! transaction, no connection. Waiters stand in line in the row, and look every `retry` whether it is their turn.
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all hosts that use the table on one server, over restarts | a lease granted in the last moments before a fail-over to a replica, which lags: the guard is told at its next renewal |
//! | fencing tokens grow: max(last + 1, server time in µs) | against a clock that goes back together with lost rows |
//! | waiters are served first come, first served across processes, while they look at least every 100 ms | waking: nothing notifies, a waiter looks every `retry` |
//! | | a lease granted in the last second before a crash, where `innodb_flush_log_at_trx_commit` is not 1, its default; this is warned of |
//! | | several writers: of Galera or group replication with several primaries, name one server for all lockers, as each judges leases by a clock of its own |
//!
//! # Settings
//! Beside those of every locker, in the URL's query: `table=lock_leases`, with a database before a dot or without;
//! `on_runtime=no`; `socket=` for the path of a socket; `ssl-mode` (`disabled`, `preferred`, `required`, `verify_ca`, `verify_identity`),
//! `ssl-ca`, `ssl-cert` and `ssl-key` as the servers' own clients have them. The default is `preferred`: TLS if the server
//! has it. A user of MySQL 8 by `caching_sha2_password` needs TLS.
//!
//! A client has at most four connections, and two more for callers that block outside of a tokio runtime, which drive them in
//! their own thread.
//!
//! With `on_runtime=yes`, async callers acquire and release on connections of their own tokio runtime, four at most on each, beside
//! those: up to half of the time of one caller where the server is on the same machine and does not wait for its
//! disk. Such a runtime needs `enable_io` and `enable_time`, as `#[tokio::main]` has; one without panics.
//!
//! # Permissions
//! The table is made when it is first missed, for which a user needs `CREATE`. For those who make it in a migration of
//! their own: [`CREATE_TABLE`], and then `GRANT SELECT, INSERT, UPDATE, DELETE ON shop.lock_leases TO app` is enough;
//! without `DELETE`, unused rows stay.
//!
//! # The server's settings
//! A session sets for itself what would matter: `sql_mode`, isolation (`READ COMMITTED`), `autocommit`, how long a statement
//! waits for a row or a table. The time zone does not matter, as all times are in UTC. Where `binlog_format` is `STATEMENT`,
//! the isolation is `REPEATABLE READ`.

mod address;
mod fault;
mod server;

use std::sync::Arc;

pub(crate) use self::address::{QUERY, parse};
pub use self::server::Server;
pub(crate) use super::sql::Address;
use super::{sql::Rows, tls};
use crate::{
    error::{Error, Result},
    queue::Queue,
    shared::Shared,
    url::Place,
};

/// The statement that makes the table; `{table}` is its name.
pub const CREATE_TABLE: &str = include_str!("statements/create.sql");

/// Locks as rows of a table in a MySQL or MariaDB.
///
/// ```no_run
/// use lock_core::Locker;
///
/// let locker = Locker::open("mysql://app:secret@db.example/shop?prefix=app:")?;
/// let guard = locker.lock("report").acquire()?;
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// A clone is the same client.
pub type MySql = Rows<Server>;

impl MySql {
    /// A client of its own of the database behind a URL; settings in its query are not for the backend.
    ///
    /// Lockers that are [opened](crate::Locker::open) by URL share one client per database and user, which is cheaper.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a MySQL or MariaDB.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::MySql(address) => Ok(Self::at(address)),
            _ => Err(Error::config("it is not the URL of a MySQL; accepted are mysql:// and mariadb://")),
        }
    }

    fn at(address: Address) -> Self {
        tls::install();
        let table = address.table.clone();
        Self::new(Server::new(address), table)
    }

    /// The one of this process for an address, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Arc<(Arc<Queue>, Arc<Self>)> {
        static OPENED: Shared<(Arc<Queue>, Arc<MySql>)> = Shared::new();
        let name = address.identity();
        OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(Self::at(address))))
    }
}
