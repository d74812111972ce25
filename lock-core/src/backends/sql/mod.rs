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
//! - A first attempt and a release are driven by their caller, in his thread or task, where a connection is idle and the key
//!   is free: a hop through the background thread less. If he goes away or they take too long, the engine follows them to
//!   their end there; if he does not poll, he keeps a connection that the others can do without ([`Database::here`]). A
//!   connection belongs to the runtime on which it was made, so that none is made or waited for elsewhere.

#[cfg(any(feature = "postgres", feature = "mysql"))]
mod address;
mod pool;
mod row;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) use self::address::Address;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(in crate::backends) use self::address::Form;
pub(in crate::backends) use self::{
    pool::{Lent, Pool},
    row::{BETWEEN, Row, lease},
    statement::{Statement, Style},
    table::{DEFAULT, Table},
    values::Values,
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Shortcut, Watch},
    background,
    clock::Moment,
    host,
    key::Key,
    lease::{Holder, Lease, Owner, Ttl},
    locker::limited_anywhere,
    park,
    sync::{self, AtomicU64, Mutex, Ordering},
};

/// How long a free key is kept for the first in line: longer than he takes to look again, by himself or when told.
pub(in crate::backends) const WINDOW: Duration = Duration::from_millis(150);

/// How long a row is kept that nobody uses: the clock of a server may go back by less than that.
const KEPT: Duration = Duration::from_hours(24);

/// How often this process removes such rows.
const PRUNED_EVERY: Duration = Duration::from_mins(10);

/// When to look again at a row that a transaction keeps.
const LOCKED_FOR: Duration = Duration::from_millis(100);

/// For how long after a refusal the key is asked for on the background thread at once.
const CONTENDED: Duration = Duration::from_secs(1);

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

/// A database that can keep the table.
pub trait Database: fmt::Debug + Send + Sync + 'static {
    /// What locks of it can do.
    #[doc(hidden)]
    fn capabilities(&self) -> Capabilities;

    /// The statements, in its own words.
    #[doc(hidden)]
    fn statements(&self) -> &Statements;

    /// A connection on which statements are run outside of the background thread, by whoever polls them.
    #[doc(hidden)]
    type Here: Send + 'static;

    /// One that is idle, and that the others can do without. Nothing that is done on it may need a runtime.
    #[doc(hidden)]
    fn here(&self) -> Option<Self::Here>;

    /// [`take`](Self::take) on it.
    #[doc(hidden)]
    fn take_on(
        &self,
        here: Self::Here,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Taken, Fault>> + Send;

    /// The release, on it.
    #[doc(hidden)]
    fn release_on(
        &self,
        here: Self::Here,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// Takes the key if it is free.
    #[doc(hidden)]
    fn take(&self, values: &Values<'_>) -> impl Future<Output = Result<Taken, Fault>> + Send;

    /// Runs a statement that returns rows.
    #[doc(hidden)]
    fn rows(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send;

    /// Gets in line while the key is not to be had, and says what stands in the way then.
    #[doc(hidden)]
    fn stand_in_line(&self, values: &Values<'_>) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send {
        self.rows(&self.statements().stand_in_line, values)
    }

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

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// With all tokens from the first to the last.
    Granted {
        #[doc(hidden)]
        first: i64,
        #[doc(hidden)]
        last: i64,
    },
    /// It is held, or kept for somebody.
    Refused,
    /// Somebody's transaction keeps the row.
    Locked,
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
    /// Removes some of the rows that nobody uses. It returns a row if there may be more of them.
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
    /// When a key was last refused, on `CLOCK_BOOTTIME` in nanoseconds.
    refused_at: AtomicU64,
}

impl<D> Clone for Rows<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<D: Database> Rows<D> {
    pub(in crate::backends) fn new(database: D, table: Table) -> Self {
        let host = host::name();
        let (in_line, pruned) = (Mutex::default(), Mutex::default());
        Self {
            inner: Arc::new(Inner { database, table, host, in_line, pruned, refused_at: AtomicU64::new(0) }),
        }
    }

    /// Gets in line for the request, if it can wait. `None`: nobody holds the key, or it is not kept for anybody else.
    ///
    /// # Errors
    /// What the database says.
    #[cfg(feature = "postgres")]
    pub(in crate::backends) async fn stand_in_line(
        &self,
        request: &Request,
    ) -> Result<Option<Attempt>, Fault> {
        let names = Names::of(request);
        if request.give_way {
            self.inner.database.expect(&names.id, request);
        }
        let row = self.inner.refused(request, &self.values(&names, request)).await?;
        row.filter(|row| row.left > 0 || row.place != 1).map(|row| row.refusal(WINDOW)).transpose()
    }

    /// All that statements can ask for.
    pub(in crate::backends) fn values<'a>(&'a self, names: &'a Names, request: &'a Request) -> Values<'a> {
        self.inner.values(names, request)
    }

    pub(in crate::backends) fn database(&self) -> &D {
        &self.inner.database
    }
}

impl<D: Database> Inner<D> {
    async fn acquire(self: &Arc<Self>, request: &Request) -> Result<Attempt, Fault> {
        let names = Names::of(request);
        let (Names { id, owner, .. }, values) = (&names, self.values(&names, request));
        if request.give_way {
            self.database.expect(id, request);
        }
        for _ in 0..ROUNDS {
            match self.database.take(&values).await? {
                Taken::Granted { first, last } => {
                    self.forget(id, request);
                    self.prune();
                    return Ok(Attempt::Granted(row::lease(request, first, last)?));
                }
                // How long it will, nobody knows.
                Taken::Locked => return Ok(Attempt::Held { holder: None, free_in: Some(LOCKED_FOR) }),
                Taken::Refused => {}
            }
            let Some(row) = self.refused(request, &values).await? else { continue };
            if row.owner == *owner && row.left > 0 {
                // An answer was lost: it is the asking owner's already.
                if self.database.change(&self.statements().renew, &values).await? {
                    self.forget(id, request);
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
        self.is_contended();
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
        Ok(self.database.stand_in_line(values).await?.pop())
    }

    async fn take_over(&self, request: &Request) -> Result<Option<Attempt>, Fault> {
        let names = Names::of(request);
        let (owner, values) = (&names.owner, self.values(&names, request));
        if self.database.change(&self.statements().adopt, &values).await? {
            let row = self.database.rows(&self.statements().look, &values).await?.pop();
            if let Some(row) = row.filter(|row| row.owner == *owner && row.left > 0) {
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

    /// A connection for a shortcut. Where keys are awaited, there is none: who is refused has to get in line.
    fn here(&self) -> Option<D::Here> {
        let refused = self.refused_at.load(Ordering::Relaxed);
        let lately = Moment::from_nanos(refused).until_now() < CONTENDED && refused > 0;
        if lately || background::is_current() { None } else { self.database.here() }
    }

    /// The first attempt, outside of the background thread. If the key is not free, it is asked for there.
    async fn acquire_on(self: &Arc<Self>, here: D::Here, request: &Request) -> Result<Attempt, Fault> {
        let names = Names::of(request);
        match self.database.take_on(here, &self.values(&names, request)).await? {
            Taken::Granted { first, last } => {
                self.prune();
                Ok(Attempt::Granted(row::lease(request, first, last)?))
            }
            Taken::Refused | Taken::Locked => {
                self.is_contended();
                Err(Fault::elsewhere())
            }
        }
    }

    async fn release_on(&self, here: D::Here, lease: &Lease) -> Result<bool, Fault> {
        let (id, owner) = (id(&lease.key), lease.owner.to_string());
        self.database.release_on(here, &Values { owner: &owner, ..Values::of(&id) }).await
    }

    fn is_contended(&self) {
        self.refused_at.store(Moment::now().as_nanos(), Ordering::Relaxed);
    }

    async fn release(&self, lease: &Lease) -> Result<bool, Fault> {
        self.of_a_lease(&self.statements().release, lease, lease.ttl).await
    }

    async fn give_up(&self, request: &Request) -> Result<(), Fault> {
        let names = Names::of(request);
        self.database.forget(&names.id, request);
        if !sync::lock(&self.in_line).remove(&place(request)) {
            return Ok(());
        }
        let values = self.values(&names, request);
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
        let pruning = background::spawn(async move {
            // A small table is seen as a whole from the first row on, a large one bit by bit, from anywhere.
            let anywhere = Owner::random().map(|owner| owner.to_string()).unwrap_or_default();
            for from in ["", &anywhere] {
                let values = Values { kept: row::as_micros(KEPT), ..Values::of(from) };
                for _ in 0..PRUNINGS {
                    match inner.database.prune(&values).await {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => {
                            let table = &inner.table.name;
                            tracing::debug!(%error, table, "could not remove rows that nobody uses");
                            return;
                        }
                    }
                }
            }
        });
        // Without a background thread, the next process does it.
        drop(pruning);
    }

    fn values<'a>(&'a self, names: &'a Names, request: &'a Request) -> Values<'a> {
        Values {
            key: request.key.as_str(),
            owner: &names.owner,
            entry: &names.entry,
            ttl: row::as_micros(request.ttl.get()),
            reserve: request.reserve.max(1).into(),
            window: row::as_micros(WINDOW),
            host: &self.host,
            pid: std::process::id().into(),
            ..Values::of(&names.id)
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
        let here = self.inner.here()?;
        Some(park::block_on(limited_anywhere(limit, self.inner.acquire_on(here, request))))
    }

    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        let here = self.inner.here()?;
        Some(park::block_on(limited_anywhere(limit, self.inner.release_on(here, lease))))
    }

    fn try_acquire_here(&self, request: &Request) -> Option<Shortcut<Attempt>> {
        let here = self.inner.here()?;
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        let answer = Box::pin(async move { inner.acquire_on(here, &request).await });
        Some(Shortcut { answer, needs_runtime: false })
    }

    fn release_here(&self, lease: &Lease) -> Option<Shortcut<bool>> {
        let here = self.inner.here()?;
        let (inner, lease) = (Arc::clone(&self.inner), lease.clone());
        let answer = Box::pin(async move { inner.release_on(here, &lease).await });
        Some(Shortcut { answer, needs_runtime: false })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(self.inner.of_a_lease(&self.inner.statements().renew, lease, ttl))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(self.inner.release(lease))
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

/// What a request goes by in the table.
#[derive(Debug)]
pub(in crate::backends) struct Names {
    id: String,
    owner: String,
    entry: String,
}

impl Names {
    pub(in crate::backends) fn of(request: &Request) -> Self {
        let owner = request.owner.to_string();
        Self { id: id(&request.key), entry: row::entry(&owner), owner }
    }
}

/// What a row is found by: keys are too long for an index, and not every database tells `a` from `a ` or from `A`.
fn id(key: &Key) -> String {
    digits(&hmac_sha256::Hash::hash(key.as_str().as_bytes()))
}

/// Bytes as hexadecimal digits.
pub(in crate::backends) fn digits(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn place(request: &Request) -> (Key, Owner) {
    (request.key.clone(), request.owner.clone())
}
