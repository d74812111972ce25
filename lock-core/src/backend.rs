//! What a store has to be able to do to keep locks.
//!
//! A backend is told *what* to do, never *how long to wait*: it does not sleep, retry, queue or read configuration.
//! All of that is done once, in front of every backend. The example `custom_backend` is a whole one.

use std::{any::Any, error::Error as StdError, fmt, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use crate::{
    key::Key,
    lease::{Holder, Lease, Owner, Ttl},
};

/// A boxed future that can be sent to the background thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a backend answers, or why it could not.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// A request for an async caller to poll by itself, on whatever executor; see [`Backend::try_acquire_here`].
pub struct Shortcut<T> {
    /// To be polled within a time limit, by the caller, or on the background thread if he goes away.
    pub answer: Answer<'static, T>,
    /// The caller's runtime has to go on for the answer to come. Otherwise it comes, whoever polls.
    pub needs_runtime: bool,
}

impl<T> fmt::Debug for Shortcut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shortcut").field("needs_runtime", &self.needs_runtime).finish_non_exhaustive()
    }
}

/// Tells a holder that its lease was taken away.
pub type Tell = Box<dyn Fn() + Send + Sync>;

/// A store of leases.
///
/// Every method acts on the store at once and answers. Calls are made from the background thread of the process,
/// inside a tokio runtime, with a time limit around each; a backend that answers [`Capabilities::immediate`] is also
/// called from the threads of its users.
///
/// The rules that the engine builds on:
/// - `try_acquire` is idempotent by owner: asked again by the owner that holds the key, it grants the same lease,
///   which then lasts its ttl from now on.
/// - `renew` and `release` compare the owner and act in one atomic step; on somebody else's lease they change nothing.
/// - Fencing tokens of a key strictly increase with every grant, also after expiry, force-release and restart.
pub trait Backend: Any + fmt::Debug + Send + Sync {
    /// What this backend can do. Tests and the engine go by this, never by a backend's name.
    fn capabilities(&self) -> Capabilities;

    /// Takes the key if it is free, or says who has it.
    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt>;

    /// [`try_acquire`](Self::try_acquire) in the thread of a blocking caller, which may be blocked for `limit`. `None`:
    /// there is no shorter way than the background thread, or not now; nothing was asked.
    fn try_acquire_blocking(&self, request: &Request, limit: Duration) -> Option<Result<Attempt, Fault>> {
        let _ = (request, limit);
        None
    }

    /// [`release`](Self::release) in the same way.
    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        let _ = (lease, limit);
        None
    }

    /// [`try_acquire`](Self::try_acquire) for an async caller to poll, on any executor. `None`: there is no shorter way
    /// than the background thread, or not now; nothing was asked.
    fn try_acquire_here(&self, request: &Request) -> Option<Shortcut<Attempt>> {
        let _ = request;
        None
    }

    /// [`release`](Self::release) in the same way.
    fn release_here(&self, lease: &Lease) -> Option<Shortcut<bool>> {
        let _ = lease;
        None
    }

    /// Makes the lease last at least `ttl` from now on, never shorter than it was to last anyway: two renewals may
    /// arrive in any order. `false`: it is not this owner's any more, nothing was changed.
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool>;

    /// Gives the lease back. `false`: it was not this owner's any more, nothing was changed.
    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool>;

    /// Who holds the key.
    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>>;

    /// Everybody who holds a key that begins with `prefix`.
    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>>;

    /// Frees the key, whoever has it. `false`: nobody had it.
    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool>;

    /// Whether the store can be reached and used.
    fn ping(&self) -> Answer<'_, ()>;

    /// Takes over the lease that `request.owner` holds. [`Attempt::Held`] if somebody else holds the key;
    /// `None` if nobody does. Nothing is acquired anew.
    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        let _ = request;
        Box::pin(async { Err(Fault::unsupported("this backend cannot hand a lease to another process")) })
    }

    /// Lets go of a lease without giving it back: it lasts `ttl` more, for [`adopt`](Backend::adopt) to take over.
    /// Only backends that bind a lease to its process have anything to do here.
    fn detach<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        self.renew(lease, ttl)
    }

    /// Whether a lease that is bound to its process is still there: asked by [`Guard::is_held`](crate::Guard::is_held),
    /// so without waiting. Every other holder goes by its deadline.
    fn keeps(&self, lease: &Lease) -> bool {
        let _ = lease;
        true
    }

    /// Keeps `tell`, to be called if a lease that is bound to its process is taken away, at once if it was already.
    /// `false`: it will not be called, and the engine asks [`keeps`](Self::keeps) from time to time.
    fn tell_when_lost(&self, lease: &Lease, tell: Tell) -> bool {
        let _ = (lease, tell);
        false
    }

    /// Announces when it is worth asking for the key again. `None`: this backend cannot notify, look
    /// from time to time, soon at first and then every `retry`.
    ///
    /// What becomes free after this has answered must be announced; the engine asks once more before it waits.
    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        let _ = request;
        Box::pin(async { Ok(None) })
    }

    /// Ends what waiting for `request` left behind. Called once if the request's waiting ends without a grant, and also
    /// if it never came to [`watch`](Self::watch) but [stands in line](Capabilities::queues).
    fn give_up<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        let _ = request;
        Box::pin(async { Ok(()) })
    }
}

/// What is asked of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The key, prefix included.
    pub key: Key,
    /// New for this acquisition; the same in each of its attempts.
    pub owner: Owner,
    /// How long the lease is to last.
    pub ttl: Ttl,
    /// Alone, or together with whom.
    pub mode: Mode,
    /// Whether the caller can wait: where others wait already, they may be served first.
    pub give_way: bool,
    /// How many fencing tokens to reserve, for hand-overs inside this process; a backend may reserve fewer.
    pub reserve: u32,
}

impl Request {
    /// A request for the key alone, with one fencing token.
    pub const fn exclusive(key: Key, owner: Owner, ttl: Ttl) -> Self {
        Self { key, owner, ttl, mode: Mode::Exclusive, give_way: false, reserve: 1 }
    }
}

/// With whom a lock may be held at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Nobody.
    #[default]
    Exclusive,
    /// Other readers.
    Shared,
    /// This many holders at most.
    Permits(u32),
}

/// The answer to an attempt to take a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt {
    /// It is the caller's.
    Granted(Lease),
    /// Somebody has it.
    Held {
        /// Who, if the store told it along with the refusal. Without a fencing token, it is a holder that is not of
        /// this library, and whose release nobody announces.
        holder: Option<Box<Holder>>,
        /// When it becomes free if nothing happens; `None` if the store cannot tell.
        free_in: Option<Duration>,
    },
}

impl Attempt {
    /// Somebody has it, and nothing more is known.
    pub const fn held() -> Self {
        Self::Held { holder: None, free_in: None }
    }
}

/// Announcements for one waiting request; dropping it ends them.
pub trait Watch: Send {
    /// The next announcement. `None`: there will be no more, look from time to time, as above.
    ///
    /// The future may be dropped before it is ready; what was announced meanwhile must come with the next call.
    fn next(&mut self) -> BoxFuture<'_, Option<Signal>>;
}

/// What a watch announces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The key may be free: ask again.
    LookAgain,
    /// The key may be free when this has passed, earlier than was known.
    FreeIn(Duration),
    /// The key was given to the waiting request.
    Granted(Lease),
}

/// What a backend can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent answer that tests select by")]
pub struct Capabilities {
    /// Operations are done when first polled, need no runtime and take microseconds.
    pub immediate: bool,
    /// Excludes other processes, not only other threads.
    pub across_processes: bool,
    /// Excludes other hosts.
    pub across_hosts: bool,
    /// [`Backend::watch`] announces a release.
    pub notifies: bool,
    /// A refused attempt that [gives way](Request::give_way) is in line at once: what becomes free from then on is kept
    /// for its [`Backend::watch`], and it is ended by [`Backend::give_up`].
    pub queues: bool,
    /// A lease lasts as long as its process: it is free at once when the holder dies, a holder that is merely
    /// stopped is never overtaken, and there is nothing to renew.
    pub bound_to_process: bool,
    /// Held keys stay held when the store is restarted.
    pub survives_restart: bool,
    /// A lease can be handed to another process ([`Backend::adopt`]).
    pub hand_over: bool,
    /// [`Backend::held`] works.
    pub lists: bool,
    /// [`Mode::Shared`] works.
    pub shared: bool,
    /// [`Mode::Permits`] works.
    pub permits: bool,
    /// Several keys are taken at once, or none. Foreseen: requests name one key.
    pub several_keys: bool,
    /// Waiters of all processes are served first come, first served. Foreseen: requests do not ask for it.
    pub fair: bool,
    /// Fencing tokens of a key strictly increase, whatever happens to the store.
    pub fencing: bool,
    /// The shortest ttl that it can keep.
    pub ttl_min: Ttl,
    /// The longest ttl that it can keep.
    pub ttl_max: Ttl,
    /// By how much a lease may outlive its ttl.
    pub ttl_grain: Duration,
}

impl Default for Capabilities {
    /// A store of leases that other hosts reach, that lists them, cannot notify, and forgets everything when restarted.
    fn default() -> Self {
        Self {
            immediate: false,
            across_processes: true,
            across_hosts: true,
            notifies: false,
            queues: false,
            bound_to_process: false,
            survives_restart: false,
            hand_over: false,
            lists: true,
            shared: false,
            permits: false,
            several_keys: false,
            fair: false,
            fencing: true,
            ttl_min: Ttl::MIN,
            ttl_max: Ttl::MAX,
            ttl_grain: Duration::ZERO,
        }
    }
}

/// Why a backend could not answer.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Unsupported(String),
    /// A shortcut does not lead there.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "postgres", feature = "redis", feature = "sqlite")),
        expect(dead_code, reason = "no other shortcut ends")
    )]
    Elsewhere,
    Failed {
        source: Arc<dyn StdError + Send + Sync>,
        executed: bool,
        retryable: bool,
    },
}

impl Fault {
    /// The operation failed, and had no effect.
    pub fn failed(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind: Kind::Failed { source: Arc::from(source.into()), executed: false, retryable: true } }
    }

    /// The operation may or may not have had its effect: it was sent, and no answer came.
    #[must_use]
    pub fn maybe_executed(mut self) -> Self {
        if let Kind::Failed { executed, .. } = &mut self.kind {
            *executed = true;
        }
        self
    }

    /// The same operation would fail again.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        if let Kind::Failed { retryable, .. } = &mut self.kind {
            *retryable = false;
        }
        self
    }

    /// The backend cannot do this at all.
    pub fn unsupported(reason: impl fmt::Display) -> Self {
        Self { kind: Kind::Unsupported(reason.to_string()) }
    }

    /// Of a shortcut: it is for the background thread, after all. Nothing was done.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "redis", feature = "sqlite"))]
    pub(crate) const fn elsewhere() -> Self {
        Self { kind: Kind::Elsewhere }
    }

    pub(crate) const fn is_elsewhere(&self) -> bool {
        matches!(self.kind, Kind::Elsewhere)
    }

    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Failed { retryable: true, .. })
    }

    /// Whether the operation may have had its effect.
    pub const fn may_have_executed(&self) -> bool {
        matches!(self.kind, Kind::Failed { executed: true, .. })
    }

    pub(crate) fn into_error(self, key: &Key, operation: &'static str) -> crate::Error {
        match self.kind {
            Kind::Unsupported(reason) => crate::Error::unsupported(reason),
            Kind::Elsewhere => Self::failed(self.to_string()).into_error(key, operation),
            Kind::Failed { source, retryable, .. } => {
                crate::Error::Backend { key: key.clone(), operation, source, retryable }
            }
        }
    }
}

impl From<io::Error> for Fault {
    /// A failed system call, with no effect.
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unsupported(reason) => f.write_str(reason),
            Kind::Elsewhere => f.write_str("it is for the background thread"),
            Kind::Failed { source, .. } => source.fmt(f),
        }
    }
}
