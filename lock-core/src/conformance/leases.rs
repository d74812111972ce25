//! Leases in memory: a store of leases with a ttl, for the paths of the engine that a lock bound to its process never
//! takes, and with failures to order.

use std::{
    collections::HashMap,
    fmt, future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    backend::{Answer, Attempt, Backend, BoxFuture, Capabilities, Fault, Request, Signal, Watch},
    clock::{self, Moment},
    key::Key,
    lease::{Holder, Lease, Ttl},
};

/// How long a request travels to the store, and an answer back.
const TRAVEL: Duration = Duration::from_micros(200);

/// A store of leases in memory, and a client of it.
#[derive(Clone)]
pub struct Leases {
    store: Arc<Store>,
    notifies: bool,
    orders: Arc<Mutex<Orders>>,
}

type Orders = Box<dyn FnMut(Operation) -> Effect + Send>;

/// What a client asks of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Backend::try_acquire`]
    Acquire,
    /// [`Backend::renew`]
    Renew,
    /// [`Backend::release`]
    Release,
    /// [`Backend::watch`]
    Watch,
    /// All others.
    Other,
}

/// What happens to a request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is executed and answered.
    None,
    /// So it is, after some time.
    Delay(Duration),
    /// It is executed, and the answer takes some time.
    SlowAnswer(Duration),
    /// It is never executed, and never answered.
    Hang,
    /// It is executed, and never answered.
    LostAnswer,
    /// It fails without having been executed.
    FailBefore,
    /// It is executed, and then fails.
    FailAfter,
    /// The client panics.
    Panic,
}

#[derive(Default)]
struct Store {
    records: Mutex<HashMap<Key, Record>>,
    executed: AtomicU64,
}

struct Record {
    lease: Option<(Lease, Moment)>,
    last: u64,
    changed: watch::Sender<()>,
}

impl Record {
    fn current(&self) -> Option<&(Lease, Moment)> {
        self.lease.as_ref().filter(|(_, until)| !until.has_passed())
    }

    fn is_of(&self, lease: &Lease) -> bool {
        self.current().is_some_and(|(current, _)| current.owner == lease.owner)
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self::new()
    }
}

impl Leases {
    /// An empty store that cannot notify.
    pub fn new() -> Self {
        Self { store: Arc::default(), notifies: false, orders: no_orders() }
    }

    /// The same store, of which a release is announced.
    #[must_use]
    pub fn notifying(mut self) -> Self {
        self.notifies = true;
        self
    }

    /// Another client of the same store, to which nothing happens yet.
    #[must_use]
    pub fn client(&self) -> Self {
        Self { orders: no_orders(), ..self.clone() }
    }

    /// What it can do.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            across_processes: false,
            across_hosts: false,
            notifies: self.notifies,
            hand_over: true,
            ..Capabilities::default()
        }
    }

    /// Decides what happens to each request of this client from now on.
    pub fn order(&self, orders: impl FnMut(Operation) -> Effect + Send + 'static) {
        *lock(&self.orders) = Box::new(orders);
    }

    /// Loses everything, as a server without a disk does.
    pub fn restart(&self) {
        lock(&self.store.records).clear();
    }

    /// How many requests have been executed.
    pub fn executed(&self) -> u64 {
        self.store.executed.load(Ordering::SeqCst)
    }

    async fn travel<T>(&self, what: Operation, act: impl FnOnce(&Store) -> T) -> Result<T, Fault> {
        let effect = lock(&self.orders)(what);
        tokio::time::sleep(TRAVEL).await;
        match effect {
            Effect::Hang => return future::pending().await,
            Effect::FailBefore => return Err(Fault::failed("refused by order")),
            Effect::Delay(time) => tokio::time::sleep(time).await,
            Effect::Panic => panic!("by order"),
            _ => {}
        }
        self.store.executed.fetch_add(1, Ordering::SeqCst);
        let answer = act(&self.store);
        match effect {
            Effect::LostAnswer => return future::pending().await,
            Effect::FailAfter => return Err(Fault::failed("cut off by order").maybe_executed()),
            Effect::SlowAnswer(time) => tokio::time::sleep(time).await,
            _ => {}
        }
        tokio::time::sleep(TRAVEL).await;
        Ok(answer)
    }
}

impl Store {
    fn records(&self) -> MutexGuard<'_, HashMap<Key, Record>> {
        lock(&self.records)
    }

    fn acquire(&self, request: &Request) -> Attempt {
        let mut records = self.records();
        let record = records.entry(request.key.clone()).or_insert_with(Record::new);
        let until = Moment::now().after(request.ttl.get());
        match &record.lease {
            Some((lease, ends)) if !ends.has_passed() && lease.owner != request.owner => {
                return Attempt::Held { holder: Some(Box::new(describe(lease, *ends))), free_in: Some(ends.until()) };
            }
            Some((lease, ends)) if !ends.has_passed() => {
                let lease = Lease { ttl: request.ttl, ..lease.clone() };
                record.lease = Some((lease.clone(), until.max(*ends)));
                return Attempt::Granted(lease);
            }
            _ => {}
        }
        record.last = clock::unix_micros().max(record.last + 1);
        let lease = Lease::new(request.key.clone(), request.owner.clone(), record.last, request.ttl);
        record.lease = Some((lease.clone(), until));
        Attempt::Granted(lease)
    }

    fn renew(&self, lease: &Lease, ttl: Ttl) -> bool {
        let mut records = self.records();
        let Some(record) = records.get_mut(&lease.key).filter(|record| record.is_of(lease)) else { return false };
        let until = Moment::now().after(ttl.get());
        if let Some((_, ends)) = &mut record.lease {
            *ends = until.max(*ends);
        }
        true
    }

    fn release(&self, key: &Key, lease: Option<&Lease>) -> bool {
        let mut records = self.records();
        let concerned = |record: &&mut Record| {
            lease.map_or_else(|| record.current().is_some(), |lease| record.is_of(lease))
        };
        let Some(record) = records.get_mut(key).filter(concerned) else { return false };
        record.lease = None;
        record.changed.send_replace(());
        true
    }

    fn adopt(&self, request: &Request) -> Option<Attempt> {
        let held = self.records().get(&request.key).is_some_and(|record| record.current().is_some());
        held.then(|| self.acquire(request))
    }

    fn held(&self, wanted: impl Fn(&Key) -> bool) -> Vec<Holder> {
        let records = self.records();
        let leases = records.values().filter_map(Record::current);
        leases.filter(|(lease, _)| wanted(&lease.key)).map(|(lease, until)| describe(lease, *until)).collect()
    }

    fn watch(&self, key: &Key) -> watch::Receiver<()> {
        self.records().entry(key.clone()).or_insert_with(Record::new).changed.subscribe()
    }
}

impl Record {
    fn new() -> Self {
        Self { lease: None, last: 0, changed: watch::Sender::new(()) }
    }
}

fn describe(lease: &Lease, until: Moment) -> Holder {
    let mut holder = Holder::new(lease.key.clone(), lease.owner.clone());
    holder.fencing_token = Some(lease.fencing_token);
    holder.expires_in = Some(until.until());
    holder
}

impl Backend for Leases {
    fn capabilities(&self) -> Capabilities {
        Self::capabilities(self)
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(self.travel(Operation::Acquire, |store| store.acquire(request)))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(self.travel(Operation::Renew, move |store| store.renew(lease, ttl)))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(self.travel(Operation::Release, |store| store.release(&lease.key, Some(lease))))
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(self.travel(Operation::Other, move |store| store.held(|held| held == key).pop()))
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(self.travel(Operation::Other, move |store| store.held(|key| key.as_str().starts_with(prefix))))
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(self.travel(Operation::Other, move |store| store.release(key, None)))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(self.travel(Operation::Other, |_| ()))
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(self.travel(Operation::Other, |store| store.adopt(request)))
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async move {
            if !self.notifies {
                return Ok(None);
            }
            let changed = self.travel(Operation::Watch, |store| store.watch(&request.key)).await?;
            Ok(Some(Box::new(Listening(changed)) as Box<dyn Watch>))
        })
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("notifies", &self.notifies).finish_non_exhaustive()
    }
}

struct Listening(watch::Receiver<()>);

impl Watch for Listening {
    fn next(&mut self) -> BoxFuture<'_, Option<Signal>> {
        Box::pin(async { self.0.changed().await.is_ok().then_some(Signal::LookAgain) })
    }
}

fn no_orders() -> Arc<Mutex<Orders>> {
    Arc::new(Mutex::new(Box::new(|_| Effect::None)))
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
