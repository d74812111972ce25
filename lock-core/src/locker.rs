//! A backend with its settings.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

#[cfg(doc)]
use crate::error::Error;
use crate::{
    backend::{Backend, BoxFuture, Fault},
    backends::{self, memory},
    background,
    config::{Resolved, Settings},
    error::Result,
    fields::Fields,
    key::Key,
    lease::Holder,
    lock::Lock,
    park,
    queue::Queue,
    race::{Either, race},
    url::{Place, Url},
};

/// The longest that an operation outside of acquiring may take.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);

/// The longest that a call may take in its caller's thread or runtime, before the background thread does it.
pub(crate) const SHORT_LIMIT: Duration = Duration::from_secs(1);

/// How long to follow what is on its way on a runtime whose caller has gone: nobody may drive it any more.
pub(crate) const ABANDONED: Duration = Duration::from_millis(50);

/// Where locks are kept, and how: the place to get a [`Lock`] from.
///
/// ```
/// use lock_core::Locker;
///
/// let locker = Locker::open("memory://doc-locker?prefix=shop:")?;
/// let guard = locker.lock("checkout").acquire()?;
/// assert_eq!(guard.key(), "shop:checkout");
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// Cheap to clone; clones share everything. `memory://` lockers of one process that were opened under the same name
/// share their locks, lockers on every other store do so by nature.
#[derive(Clone)]
pub struct Locker {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: Resolved,
    /// For people: the URL without secrets, or the backend.
    shown: String,
    /// Kept, so that the next locker on the same place finds it.
    _shared: Option<Arc<dyn Any + Send + Sync>>,
}

/// Where a lock is decided upon.
#[derive(Clone)]
pub(crate) enum Store {
    /// In this process: the queue is all there is.
    Memory(Arc<Queue>),
    /// In a backend, with the queue in front.
    Backend(Arc<Queue>, Arc<dyn Backend>),
}

impl Store {
    /// What all lockers on one place have in common, and what keeps it.
    fn shared<B: Backend>(opened: Arc<(Arc<Queue>, Arc<B>)>) -> (Self, Option<Arc<dyn Any + Send + Sync>>) {
        let backend: Arc<dyn Backend> = Arc::clone(&opened.1) as _;
        (Self::Backend(Arc::clone(&opened.0), backend), Some(opened))
    }
}

impl Locker {
    /// Opens the store behind a URL: `memory://`, `file:///directory`, with the feature `redis` also
    /// `redis://host/0`, `rediss://host/0` and `redis+unix:///socket`, with `memcached` `memcache://host`, with `postgres`
    /// `postgres://host/database`, with `mysql` `mysql://host/database`, with `sqlite` `sqlite:///file.db`.
    ///
    /// The URL is checked now; the store is connected to at first use.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that cannot be, with what was given and what is accepted.
    pub fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &Settings::default())
    }

    /// Like [`open`](Self::open), with settings for what the URL's query leaves open.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL or a setting that cannot be.
    pub fn open_with(url: &str, settings: &Settings) -> Result<Self> {
        let shown = format!("{:?}", crate::url::Redacted(url));
        let Url { place, settings: in_url } = Url::parse(url)?;
        let settings = Resolved::new(&in_url.or(settings))?;
        let (store, shared) = match place {
            Place::Memory(name) => (Store::Memory(memory::space(&name)), None),
            Place::File(directory) => Store::shared(backends::File::opened(directory)),
            #[cfg(feature = "redis")]
            Place::Redis(address) => Store::shared(backends::Redis::opened(address)?),
            #[cfg(feature = "memcached")]
            Place::Memcached(address) => Store::shared(backends::Memcached::opened(address)),
            #[cfg(feature = "postgres")]
            Place::Postgres(address) => Store::shared(backends::Postgres::opened(address)?),
            #[cfg(feature = "postgres")]
            Place::PostgresAdvisory(address) => Store::shared(backends::postgres::Advisory::opened(address)?),
            #[cfg(feature = "sqlite")]
            Place::Sqlite(address) => Store::shared(backends::Sqlite::opened(address)?),
            #[cfg(feature = "mysql")]
            Place::MySql(address) => Store::shared(backends::MySql::opened(address)),
        };
        Ok(Self { inner: Arc::new(Inner { store, settings, shown, _shared: shared }) })
    }

    /// The store for who has configured none: files of this user, on this machine.
    ///
    /// They are in `/tmp/lock-<uid>`, whatever the environment says of directories for temporary files: a cron job
    /// and a shell of the same user must meet in one place.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting that cannot be.
    pub fn embedded(settings: &Settings) -> Result<Self> {
        Self::with_backend_and(backends::File::per_user(), settings)
    }

    /// Uses a backend of your own, with the default settings.
    pub fn with_backend(backend: impl Backend) -> Self {
        let shown = format!("{backend:?}");
        let store = Store::Backend(Arc::new(Queue::new()), Arc::new(backend));
        // The defaults are within their ranges.
        let settings = Resolved::default();
        Self { inner: Arc::new(Inner { store, settings, shown, _shared: None }) }
    }

    /// Uses a backend of your own, with settings.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting that cannot be.
    pub fn with_backend_and(backend: impl Backend, settings: &Settings) -> Result<Self> {
        let shown = format!("{backend:?}");
        let store = Store::Backend(Arc::new(Queue::new()), Arc::new(backend));
        Ok(Self {
            inner: Arc::new(Inner { store, settings: Resolved::new(settings)?, shown, _shared: None }),
        })
    }

    /// A lock of this store. Nothing is asked of the store yet; a key that cannot be is reported by the first call.
    pub fn lock(&self, key: impl Into<Key>) -> Lock {
        Lock::new(self, &key.into())
    }

    /// The lock of something with fields, by its primary key until [`Lock::field`] says otherwise.
    #[doc(hidden)]
    pub fn lock_by(&self, fields: Arc<dyn Fields>) -> Lock {
        Lock::named(self, fields)
    }

    /// Everybody who holds a lock under this locker's prefix.
    ///
    /// # Errors
    /// [`Error::Backend`] if the store does not answer, [`Error::Unsupported`] if it cannot list.
    pub fn held(&self) -> Result<Vec<Holder>> {
        park::block_on(self.held_async())
    }

    /// [`held`](Self::held), in async code.
    ///
    /// # Errors
    /// As [`held`](Self::held).
    pub async fn held_async(&self) -> Result<Vec<Holder>> {
        let prefix = self.inner.settings.prefix.clone();
        match &self.inner.store {
            Store::Memory(queue) => Ok(memory::held(queue, &prefix)),
            Store::Backend(_, backend) => {
                let backend = Arc::clone(backend);
                let about = Key::from(prefix.as_str());
                call(&about, "list the holders of", async move { backend.held(&prefix).await }).await
            }
        }
    }

    /// Whether the store can be reached and used.
    ///
    /// # Errors
    /// [`Error::Backend`] if it cannot.
    pub fn ping(&self) -> Result<()> {
        park::block_on(self.ping_async())
    }

    /// [`ping`](Self::ping), in async code.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn ping_async(&self) -> Result<()> {
        match &self.inner.store {
            Store::Memory(_) => Ok(()),
            Store::Backend(_, backend) => {
                let backend = Arc::clone(backend);
                let about = Key::from(self.inner.settings.prefix.as_str());
                call(&about, "reach the store of", async move { backend.ping().await }).await
            }
        }
    }

    /// How many keys this process holds or waits for on this store: for figures and tests.
    #[doc(hidden)]
    pub fn waiting_or_held(&self) -> usize {
        self.queue().len()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn settings(&self) -> &Resolved {
        &self.inner.settings
    }

    /// What tells lockers that exclude each other in this process from others.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(self.queue()).addr()
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        match &self.inner.store {
            Store::Memory(queue) | Store::Backend(queue, _) => queue,
        }
    }
}

impl fmt::Debug for Locker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locker")
            .field("store", &self.inner.shown)
            .field("prefix", &self.inner.settings.prefix)
            .field("ttl", &self.inner.settings.ttl.get())
            .field("retry", &self.inner.settings.retry)
            .field("release_on_drop", &self.inner.settings.release_on_drop)
            .finish()
    }
}

/// Makes one call of a backend on the background thread, within [`CALL_LIMIT`].
pub(crate) async fn call<T: Send + 'static>(
    key: &Key,
    operation: &'static str,
    job: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T> {
    let job: BoxFuture<'static, _> = Box::pin(limited(CALL_LIMIT, job));
    let answer = background::spawn(job)?.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed)));
    answer.map_err(|fault| fault.into_error(key, operation))
}

/// Ends a call that takes too long, and one that panics: whoever made it has leases to look after. In both cases it may
/// still have had its effect.
pub(crate) async fn limited<T>(
    limit: Duration,
    job: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, caught(job)).await {
        Ok(answer) => answer,
        Err(_) => Err(unanswered(limit)),
    }
}

/// The same on an executor of somebody else, which may drive no timers, or not drive what the job waits for.
pub(crate) async fn limited_anywhere<T>(
    limit: Duration,
    job: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let alarm = background::schedule().map_err(Fault::failed)?.alarm(limit);
    match race(caught(job), alarm).await {
        Either::First(answer) => answer,
        Either::Second(()) => Err(unanswered(limit)),
    }
}

async fn caught<T>(job: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let mut job = pin!(job);
    poll_fn(|context| {
        // Nothing of the job is used again after a panic.
        match catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(Fault::failed("the backend panicked").maybe_executed().permanent())),
        }
    })
    .await
}

fn unanswered(limit: Duration) -> Fault {
    Fault::failed(format!("no answer within {limit:?}")).maybe_executed()
}
