//! `sqlite:///file.db`: a table in a SQLite database file, for the processes of one machine.
//!
//! A key is a row that says whose it is and until when, by the clock of the machine. Nothing stays open during a lease:
//! no transaction, no lock on the file. Waiters stand in line in the row; a release tells them by setting the times of the
//! file, which the kernel announces (inotify).
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all processes of one machine that use the file, containers included | between machines: a file on a network file system is refused |
//! | a dead holder's lock is free after its ttl; all are free after a restart of the machine | a lock that outlives a restart of the machine |
//! | fencing tokens grow: max(last + 1, time of day in µs), over restarts and a removed file | against a clock set back *and* a removed file, or a power cut |
//! | waiters are woken by the release, across processes, first come first served | at once after a holder died: they know when his lease ends |
//! | waiting for others who write is fair: nobody who waits longer has worse prospects | anything while somebody keeps the file locked, see [the file](#the-file) |
//!
//! # Settings
//! Beside those of every locker, in the URL's query: `table=lock_leases`. A path is absolute after three slashes
//! (`sqlite:///var/lib/app.db`) and relative to the working directory of the moment after two (`sqlite://app.db`); `?`, `%`
//! and `#` in it are written `%3F`, `%25` and `%23`. There are no locks in `:memory:`, which nobody else sees: that is
//! `memory://`.
//!
//! # Permissions
//! The file and its directory have to be writable: beside the file, SQLite keeps `file.db-wal` and `file.db-shm`, or
//! `file.db-journal`. The file is made where there is none, and the table when it is first missed. For those who make
//! the table in a migration of their own: [`CREATE_TABLE`].
//!
//! # The file
//! A file with several names (hard links) is refused, as SQLite keeps a log for each name. `file.db-wal` is a part of the
//! file: who removes it removes the locks.
//!
//! It may be the application's own database. A file with tables in it stays in its journal mode; a new one is put into
//! WAL mode, in which nobody who reads waits for one who writes, and a commit does not wait for the disk
//! (`synchronous=NORMAL`): a power cut may undo the last of them, but it has ended all leases as well. In any other mode
//! every acquire and every release waits for the disk (`synchronous=FULL`), as less would endanger the application's
//! data.
//!
//! SQLite lets one write at a time. While somebody's transaction keeps the file, or a process that was stopped in the
//! middle of a write (SIGSTOP, a debugger), nobody can acquire, renew or release:
//! - An acquire is tried for up to 0.8 s (a quarter of its ttl, if that is less). For 5 s the key then counts as held by
//!   somebody unknown: who waits goes on waiting, who does not is told so. After that it is an error that can be retried.
//! - A release is tried for up to 4 s; if it fails, the lease ends by its ttl.
//! - A holder goes on if a renewal gets through before its lease ends, and is told otherwise.
//!
//! So keep transactions much shorter than the shortest ttl.
//!
//! A forked child of a process that has used the file cannot use it, for SQLite's own sake; one that runs another program
//! can.

mod address;
mod clock;
mod fault;
mod file;
mod patience;
mod storage;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(not(target_os = "linux"))]
#[path = "no_watch.rs"]
mod watch;

use std::sync::Arc;

pub(crate) use self::address::{Address, QUERY};
pub use self::file::DatabaseFile;
use super::sql::Rows;
use crate::{
    error::{Error, Result},
    queue::Queue,
    shared::Shared,
    url::Place,
};

/// The statement that makes the table; `{table}` is its name.
pub const CREATE_TABLE: &str = include_str!("statements/create.sql");

/// Locks as rows of a table in a SQLite database file.
///
/// ```
/// use lock_core::Locker;
///
/// let file = std::env::temp_dir().join(format!("lock-doc-{}.db", std::process::id()));
/// let locker = Locker::open(&format!("sqlite://{}", file.display()))?;
/// let guard = locker.lock("report").acquire()?;
/// assert!(locker.lock("report").try_acquire()?.is_none());
/// # guard.release()?;
/// # for end in ["", "-wal", "-shm"] { std::fs::remove_file(format!("{}{end}", file.display())).ok(); }
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// A clone is the same client.
pub type Sqlite = Rows<DatabaseFile>;

impl Sqlite {
    /// A client of its own of the file behind a URL; settings in its query are not for the backend.
    ///
    /// Lockers that are [opened](crate::Locker::open) by URL share one client per file, which is cheaper.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a database file, [`Error::Unsupported`] where the system has no clock
    /// that tells one start of the machine from another.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::Sqlite(address) => Self::at(address),
            _ => Err(Error::config("it is not the URL of a SQLite database; accepted is sqlite://")),
        }
    }

    fn at(address: Address) -> Result<Self> {
        let table = address.table.clone();
        Ok(Self::new(DatabaseFile::new(address)?, table))
    }

    /// The one of this process for a file and a table, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Result<Arc<(Arc<Queue>, Arc<Self>)>> {
        static OPENED: Shared<(Arc<Queue>, Arc<Sqlite>)> = Shared::new();
        let name = address.identity();
        let made = Self::at(address)?;
        Ok(OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(made))))
    }
}
