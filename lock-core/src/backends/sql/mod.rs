//! A row per key in a table of a database: what PostgreSQL, MySQL and SQLite have in common.
//!
//! A row says whose its key is, until when by the clock of the database, under which fencing token, and who waits, in the
//! order in which they came. It is taken by one statement and released by letting it expire, so that the token stays.
//!
//! What may interleave, and why it is harmless:
//! - Two who acquire: the row is locked by the first statement, the second sees what it wrote.
//! - A release and one who gets in line: the statement that puts in line does so only while the key is not to be had;
//!   otherwise it changes nothing, and the key is asked for again. So nobody gets in line behind a release that has
//!   told those in line already.
//! - The first in line may be dead: a free key is kept for him for [`WINDOW`] only. Everybody behind him knows when that
//!   is over, from the answer to his own request or from the announcement of the release.
//! - One who is passed over (he was slow, and the window was over) is not in line any more. He is told so by his next
//!   request, which puts him in line again.
//! - A row that is pruned: its token is below the time of day, from which the next one is taken.

mod pool;
mod row;
mod statement;
mod table;
mod values;

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

pub(in crate::backends) use self::{
    pool::{Lent, Pool},
    row::Row,
    statement::{Statement, Style},
    table::{DEFAULT, Table},
    values::{Value, Values},
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Watch},
    background,
    key::Key,
    lease::{Holder, Lease, Owner, Ttl},
    locker::limited_anywhere,
    park,
    sync::{self, Mutex},
};

/// How long a free key is kept for the first in line: longer than he takes to look again, by himself or when told.
pub(in crate::backends) const WINDOW: Duration = Duration::from_millis(150);

/// How long a row is kept that nobody uses: the clock of a server may go back by less than that.
const KEPT: Duration = Duration::from_hours(24);

/// How often this process removes such rows.
const PRUNED_EVERY: Duration = Duration::from_mins(10);

/// In how many steps at most, for others to get in between.
const PRUNINGS: u32 = 100;

/// How often an attempt is made again that neither got the key nor a place in line, as it was released meanwhile.
const ROUNDS: u32 = 3;

/// Why a statement has no answer.
#[derive(Debug)]
pub(in crate::backends) enum Failed {
    /// No connection could be made: nothing was asked.
    Connecting(sqlx::Error),
    /// It was sent.
    Asking(sqlx::Error),
}

/// Without a provider, the first connection by TLS would panic.
#[cfg(feature = "postgres")]
pub(in crate::backends) fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if somebody else has just installed one, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// A database that can keep the table.
pub trait Database: fmt::Debug + Send + Sync + 'static {
    /// What locks of it can do.
    #[doc(hidden)]
    fn capabilities(&self) -> Capabilities;

    /// Whether its answers can be waited for on any executor, not only inside a tokio runtime.
    #[doc(hidden)]
    fn is_for_any_executor(&self) -> bool {
        false
    }

    /// The statements, in its own words.
    #[doc(hidden)]
    fn statements(&self) -> &Statements;

    /// Takes the key if it is free; the first and the last token then.
    #[doc(hidden)]
    fn take(&self, values: &Values<'_>) -> impl Future<Output = Result<Option<(i64, i64)>, Fault>> + Send;

    /// Runs a statement that returns rows.
    #[doc(hidden)]
    fn rows(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send;

    /// Runs a statement that changes rows. Returns whether there was one to change.
    #[doc(hidden)]
    fn change(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// Removes some of the rows that nobody uses. Returns whether there may be more.
    #[doc(hidden)]
    fn prune(&self, values: &Values<'_>) -> impl Future<Output = Result<bool, Fault>> + Send {
        async { self.change(&self.statements().prune, values).await }
    }

    /// Sees to it that the announcements for a request are kept, if there are any to be had.
    #[doc(hidden)]
    fn expect(&self, id: &str, request: &Request) {
        let _ = (id, request);
    }

    /// The announcements for a request.
    #[doc(hidden)]
    fn listen(
        &self,
        id: &str,
        request: &Request,
    ) -> impl Future<Output = Result<Option<Box<dyn Watch>>, Fault>> + Send {
        let _ = (id, request);
        async { Ok(None) }
    }

    /// Announcements are not kept any more.
    #[doc(hidden)]
    fn forget(&self, id: &str, request: &Request) {
        let _ = (id, request);
    }
}

/// What a database is asked.
#[derive(Debug)]
pub struct Statements {
    pub(in crate::backends) acquire: Statement,
    /// Gets in line while the key is not to be had.
    pub(in crate::backends) stand_in_line: Statement,
    /// What is known of a key.
    pub(in crate::backends) look: Statement,
    pub(in crate::backends) renew: Statement,
    pub(in crate::backends) release: Statement,
    pub(in crate::backends) adopt: Statement,
    pub(in crate::backends) held: Statement,
    pub(in crate::backends) force_release: Statement,
    pub(in crate::backends) leave_line: Statement,
    pub(in crate::backends) prune: Statement,
}

/// Locks as rows of a table.
///
/// A clone is the same client.
pub struct Rows<D> {
    inner: Arc<Inner<D>>,
}

struct Inner<D> {
    database: D,
    table: Table,
    host: String,
    /// The requests of this process that stand in line, as far as it knows.
    in_line: Mutex<HashSet<(Key, Owner)>>,
    pruned: Mutex<Option<Instant>>,
}

impl<D> Clone for Rows<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<D: Database> Rows<D> {
    pub(in crate::backends) fn new(database: D, table: Table) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let (in_line, pruned) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { database, table, host, in_line, pruned }) }
    }

    pub(in crate::backends) fn database(&self) -> &D {
        &self.inner.database
    }
}

impl<D: Database> Inner<D> {
    async fn acquire(self: &Arc<Self>, request: &Request) -> Result<Attempt, Fault> {
        let (id, owner) = (id(&request.key), request.owner.to_string());
        let entry = row::entry(&owner);
        let values = self.values(&id, &owner, &entry, request);
        if request.give_way {
            self.database.expect(&id, request);
        }
        for _ in 0..ROUNDS {
            if let Some((first, last)) = self.database.take(&values).await? {
                self.forget(&id, request);
                self.prune();
                return Ok(Attempt::Granted(row::lease(request, first, last)?));
            }
            let Some(row) = self.refused(request, &values).await? else { continue };
            if row.owner == owner && row.left > 0 {
                // An answer was lost: it is the asking owner's already.
                if self.database.change(&self.statements().renew, &values).await? {
                    self.forget(&id, request);
                    return Ok(Attempt::Granted(row.lease(request)?));
                }
                continue;
            }
            return row.refusal(WINDOW);
        }
        Ok(Attempt::Held { holder: None, free_in: Some(Duration::ZERO) })
    }

    /// What stands in the way, with a place in line for who can wait. `None`: nothing any more.
    async fn refused(&self, request: &Request, values: &Values<'_>) -> Result<Option<Row>, Fault> {
        let waits = request.give_way && !sync::lock(&self.in_line).contains(&place(request));
        if !waits {
            let row = self.database.rows(&self.statements().look, values).await?.pop();
            if !request.give_way || row.as_ref().is_some_and(|row| row.place > 0) {
                return Ok(row);
            }
            // Passed over.
            sync::lock(&self.in_line).remove(&place(request));
        }
        sync::lock(&self.in_line).insert(place(request));
        Ok(self.database.rows(&self.statements().stand_in_line, values).await?.pop())
    }

    async fn take_over(&self, request: &Request) -> Result<Option<Attempt>, Fault> {
        let (id, owner) = (id(&request.key), request.owner.to_string());
        let entry = row::entry(&owner);
        let values = self.values(&id, &owner, &entry, request);
        if self.database.change(&self.statements().adopt, &values).await? {
            let row = self.database.rows(&self.statements().look, &values).await?.pop();
            if let Some(row) = row.filter(|row| row.owner == owner && row.left > 0) {
                return Ok(Some(Attempt::Granted(row.lease(request)?)));
            }
            return Ok(None);
        }
        let row = self.database.rows(&self.statements().look, &values).await?.pop();
        row.filter(|row| row.left > 0).map(|row| row.refusal(Duration::ZERO)).transpose()
    }

    async fn of_a_lease(&self, statement: &Statement, lease: &Lease, ttl: Ttl) -> Result<bool, Fault> {
        let (id, owner) = (id(&lease.key), lease.owner.to_string());
        let values = Values { owner: &owner, ttl: row::as_micros(ttl.get()), ..Values::of(&id) };
        self.database.change(statement, &values).await
    }

    async fn give_up(&self, request: &Request) -> Result<(), Fault> {
        let (id, owner) = (id(&request.key), request.owner.to_string());
        self.database.forget(&id, request);
        if !sync::lock(&self.in_line).remove(&place(request)) {
            return Ok(());
        }
        let entry = row::entry(&owner);
        let values = self.values(&id, &owner, &entry, request);
        self.database.change(&self.statements().leave_line, &values).await.map(drop)
    }

    fn forget(&self, id: &str, request: &Request) {
        self.database.forget(id, request);
        sync::lock(&self.in_line).remove(&place(request));
    }

    /// Removes rows that nobody uses, from time to time, beside what was asked for.
    fn prune(self: &Arc<Self>) {
        let mut pruned = sync::lock(&self.pruned);
        if pruned.is_some_and(|at| at.elapsed() < PRUNED_EVERY) {
            return;
        }
        *pruned = Some(Instant::now());
        drop(pruned);
        let inner = Arc::clone(self);
        // Not on the runtime of whoever has acquired. Where there is no thread for it, it is for another time.
        drop(background::spawn(async move {
            let values = Values { kept: row::as_micros(KEPT), ..Values::of("") };
            for _ in 0..PRUNINGS {
                match inner.database.prune(&values).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        let table = &inner.table.name;
                        tracing::debug!(%error, table, "could not remove rows that nobody uses");
                        break;
                    }
                }
            }
        }));
    }

    /// Does it in the caller's thread, which is blocked for `limit` at most.
    fn blocking<T>(
        &self,
        limit: Duration,
        job: impl Future<Output = Result<T, Fault>>,
    ) -> Option<Result<T, Fault>> {
        if !self.database.is_for_any_executor() || background::is_current() {
            return None;
        }
        Some(park::block_on_until(limited_anywhere(limit, job), Instant::now().checked_add(limit)))
    }

    fn values<'a>(
        &'a self,
        id: &'a str,
        owner: &'a str,
        entry: &'a str,
        request: &'a Request,
    ) -> Values<'a> {
        Values {
            key: request.key.as_str(),
            owner,
            entry,
            ttl: row::as_micros(request.ttl.get()),
            reserve: request.reserve.max(1).into(),
            window: row::as_micros(WINDOW),
            host: &self.host,
            pid: std::process::id().into(),
            ..Values::of(id)
        }
    }

    fn statements(&self) -> &Statements {
        self.database.statements()
    }
}

impl<D: Database> Backend for Rows<D> {
    fn capabilities(&self) -> Capabilities {
        self.inner.database.capabilities()
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(self.inner.acquire(request))
    }

    fn try_acquire_blocking(&self, request: &Request, limit: Duration) -> Option<Result<Attempt, Fault>> {
        self.inner.blocking(limit, self.inner.acquire(request))
    }

    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        let releasing = self.inner.of_a_lease(&self.inner.statements().release, lease, lease.ttl);
        self.inner.blocking(limit, releasing)
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(self.inner.of_a_lease(&self.inner.statements().renew, lease, ttl))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(self.inner.of_a_lease(&self.inner.statements().release, lease, lease.ttl))
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move {
            let id = id(key);
            let row = self.inner.database.rows(&self.inner.statements().look, &Values::of(&id)).await?.pop();
            row.map_or(Ok(None), |row| row.holder())
        })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async move {
            let values = Values { prefix, ..Values::of("") };
            let rows = self.inner.database.rows(&self.inner.statements().held, &values).await?;
            rows.iter().filter_map(|row| row.holder().transpose()).collect()
        })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(async move {
            let id = id(key);
            self.inner.database.change(&self.inner.statements().force_release, &Values::of(&id)).await
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async {
            // The very table is read: that the server answers is not all that it takes.
            self.inner.database.rows(&self.inner.statements().look, &Values::of("")).await.map(drop)
        })
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(self.inner.take_over(request))
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async move { self.inner.database.listen(&id(&request.key), request).await })
    }

    fn give_up<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        Box::pin(self.inner.give_up(request))
    }
}

impl<D: Database> fmt::Debug for Rows<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("database", &self.inner.database)
            .field("table", &self.inner.table.name)
            .finish_non_exhaustive()
    }
}

/// What a row is found by: keys are too long for an index, and not every database tells `a` from `a ` or from `A`.
fn id(key: &Key) -> String {
    use fmt::Write;
    hmac_sha256::Hash::hash(key.as_str().as_bytes()).iter().fold(String::with_capacity(64), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

fn place(request: &Request) -> (Key, Owner) {
    (request.key.clone(), request.owner.clone())
}
