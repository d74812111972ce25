//! The protocol of the [module](super), for every database.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Database, Row, Statement, Statements, Table, Taken, Values, WINDOW, digits, row};
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
    #[cfg(feature = "postgres")]
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
                Taken::Locked => {
                    self.is_contended();
                    return Ok(Attempt::Held { holder: None, free_in: Some(LOCKED_FOR) });
                }
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
        let (id, mut space) = (id(&lease.key), [0; 32]);
        let owner = lease.owner.text(&mut space);
        let values = Values { owner, ttl: row::as_micros(ttl.get()), ..Values::of(&id) };
        self.database.change(statement, &values).await
    }

    /// Whether there may be a shortcut. Where keys are awaited, there is none: who is refused has to get in line.
    fn is_quiet(&self) -> bool {
        let refused = self.refused_at.load(Ordering::Relaxed);
        let lately = Moment::from_nanos(refused).until_now() < CONTENDED && refused > 0;
        !lately && !background::is_current()
    }

    /// Does something on a connection in the thread of a blocking caller.
    fn in_thread<T, F>(&self, limit: Duration, act: impl FnOnce(D::Here) -> F) -> Option<Result<T, Fault>>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        if !self.is_quiet() {
            return None;
        }
        let begun = Instant::now();
        let (here, driver) = self.database.here_blocking(limit)?;
        let left = limit.saturating_sub(begun.elapsed());
        let done = match driver {
            Some(driver) => driver.block_on(left, act(here)),
            None => park::block_on(limited_anywhere(left, act(here))),
        };
        Some(done.inspect_err(|fault| self.is_slow(fault)))
    }

    /// One for an async caller, and whether it needs his runtime.
    fn here_async(&self) -> Option<(D::Here, bool)> {
        if self.is_quiet() { self.database.here_async() } else { None }
    }

    /// The first attempt, outside of the background thread. If the key is not free, it is asked for there.
    async fn acquire_on(self: &Arc<Self>, here: D::Here, request: &Request) -> Result<Attempt, Fault> {
        let names = Names::of(request);
        let taken = self.database.take_on(here, &self.values(&names, request)).await;
        match taken.inspect_err(|fault| self.is_slow(fault))? {
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
        let (id, mut space) = (id(&lease.key), [0; 32]);
        let owner = lease.owner.text(&mut space);
        self.database.release_on(here, &Values { owner, ..Values::of(&id) }).await
    }

    /// What took too long may again: a row that somebody's transaction keeps, which whoever polls would lose a connection by.
    fn is_slow(&self, fault: &Fault) {
        if fault.may_have_executed() {
            self.is_contended();
        }
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
        self.inner.in_thread(limit, |here| self.inner.acquire_on(here, request))
    }

    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        self.inner.in_thread(limit, |here| self.inner.release_on(here, lease))
    }

    fn try_acquire_here(&self, request: &Request) -> Option<Shortcut<Attempt>> {
        let (here, needs_runtime) = self.inner.here_async()?;
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        let answer = Box::pin(async move { inner.acquire_on(here, &request).await });
        Some(Shortcut { answer, needs_runtime })
    }

    fn release_here(&self, lease: &Lease) -> Option<Shortcut<bool>> {
        let (here, needs_runtime) = self.inner.here_async()?;
        let (inner, lease) = (Arc::clone(&self.inner), lease.clone());
        let answer = Box::pin(async move { inner.release_on(here, &lease).await });
        Some(Shortcut { answer, needs_runtime })
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
        let owner = request.owner.text(&mut [0; 32]).to_owned();
        Self { id: id(&request.key), entry: row::entry(&owner), owner }
    }
}

/// What a row is found by: keys are too long for an index, and not every database tells `a` from `a ` or from `A`.
fn id(key: &Key) -> String {
    digits(&hmac_sha256::Hash::hash(key.as_str().as_bytes()))
}

fn place(request: &Request) -> (Key, Owner) {
    (request.key.clone(), request.owner.clone())
}
