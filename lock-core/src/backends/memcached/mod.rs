//! `memcache://`, `memcached://`: one memcached, from 1.6 on; 1.6.18 is what it is tested with.
//!
//! A cache may forget: a lock in memcached holds as long as the server keeps it, and not longer. Where that is not
//! enough, and for what must not be done twice, let the written resource check the fencing token, or take a store that
//! keeps what it has.
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all hosts that use the server | a lock that survives a restart, `flush_all` or eviction: a restart is told to the holder at once, the others at his next renewal; until then, somebody else may have it |
//! | a lock that is renewed is in use, and evicted last; a server that evicts nothing (`-M`) and is full refuses new locks and keeps the old ones | that it is not evicted, where the memory is too small for what is in use |
//! | fencing tokens grow over release, expiry, eviction and restart: max(last + 1, the clock of the holder's host in µs) | the same if the last token is lost, by a restart or after ten idle minutes, and the host that takes the next one has a clock that is behind the other's by more than passed meanwhile |
//! | a server whose clock is behind, as it leaves a second out now and then, is busy or was stopped, grants and renews nothing that would be over too soon | the same of a server that is stopped during the very first request of a process, which has not seen its clock before |
//! | a dead holder's lock is free two seconds after its ttl, for a ttl of whole seconds (3 s for others) | a ttl below 1 s or above a year |
//! | what another client put on the key is "held", and left alone | |
//! | a process that takes a lock again and again lets one that waits have it in between | waking: waiters look again, soon at first, then every `retry`; within a process they are served first come, first served |
//! | | a list of holders: [`Locker::held`](crate::Locker::held) is unsupported, as memcached cannot list its keys |
//! | | several servers in one locker: keys would be spread over them by their hash, and a server that comes or goes would give a lock that is held on one to somebody else on another |
//! | | TLS, user and password: the client has none |
//!
//! # What stands on the server
//! `NAME` is the lock: a number, the first 64 bits of the SHA-256 of its owner. `NAME#token` is the last fencing token,
//! kept ten minutes longer than the lease; `NAME#holder` says who it is, in words; `NAME#next` is one of who waits, for two seconds at most; `#lock-clock` tells the server's time.
//! Names are the keys with their prefix; what memcached does not take, and `%`, `~` and `#`, is written as `%` and two
//! hexadecimal digits, and what is too long ends in `~` and a hash.
//!
//! # Settings
//! Beside those of every locker, in the URL's query: `on_runtime=no`. With `on_runtime=yes`, async callers acquire and release on
//! connections of their own tokio runtime, four at most on each: up to half of the time of one caller where the server is on the
//! same machine, next to nothing over a network. Such a runtime needs `enable_io` and `enable_time`, as `#[tokio::main]` has;
//! one without panics.
//!
//! # Settings of the server
//! Default settings do. `-C` (no CAS numbers) is refused. `-M` (evict nothing) is best for a server that keeps only locks.

mod address;
mod alive;
mod clock;
mod lease;
mod life;
mod link;
mod names;
mod next;
mod record;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use self::address::Address;
use self::{
    lease::Mine,
    link::{Lent, Link},
    next::Awaited,
    wire::Command,
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Shortcut},
    error::{Error, Result},
    key::Key,
    lease::{Holder, Lease, Owner, Ttl},
    park,
    queue::Queue,
    shared::Shared,
    url::Place,
};

/// Locks on one memcached server.
///
/// ```no_run
/// use lock_core::Locker;
///
/// let locker = Locker::open("memcache://127.0.0.1?prefix=app:")?;
/// let guard = locker.lock("report").acquire()?;
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// A clone is the same client.
#[derive(Clone)]
pub struct Memcached {
    link: Arc<Link>,
    /// For the record.
    host: Arc<str>,
    awaited: Arc<Awaited>,
}

impl Memcached {
    pub(crate) fn new(address: Address) -> Self {
        Self { link: Arc::new(Link::new(address)), host: crate::host::name().into(), awaited: Arc::default() }
    }

    /// A client of its own of the server behind a URL; settings in its query are not for the backend. Nothing is
    /// connected yet.
    ///
    /// Lockers that are [opened](crate::Locker::open) by URL share one client per server, which is cheaper.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a memcached.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::Memcached(address) => Ok(Self::new(address)),
            _ => Err(Error::config(
                "it is not the URL of a memcached; accepted are memcache:// and memcached://",
            )),
        }
    }

    /// The one of this process for an address, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Arc<(Arc<Queue>, Arc<Self>)> {
        static OPENED: Shared<(Arc<Queue>, Arc<Memcached>)> = Shared::new();
        let name = address.identity();
        OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(Self::new(address))))
    }

    fn mine<'a>(&'a self, key: &'a Key, owner: &'a Owner) -> Mine<'a> {
        Mine::new(key, owner, &self.awaited)
    }

    async fn acquire(&self, mut lent: Lent, request: &Request) -> Result<Attempt, Fault> {
        let answer = self.mine(&request.key, &request.owner).acquire(&mut lent, request, &self.host).await?;
        lent.finish();
        Ok(answer)
    }

    async fn give_back(&self, mut lent: Lent, lease: &Lease) -> Result<bool, Fault> {
        let answer = self.mine(&lease.key, &lease.owner).release(&mut lent).await?;
        lent.finish();
        Ok(answer)
    }
}

impl Backend for Memcached {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            hand_over: true,
            lists: false,
            queues: true,
            ttl_min: Ttl::SECOND,
            ttl_max: Ttl::YEAR,
            ttl_grain: Duration::from_secs(3),
            ..Capabilities::default()
        }
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(async { self.acquire(self.link.lend().await?, request).await })
    }

    fn try_acquire_blocking(&self, request: &Request, limit: Duration) -> Option<Result<Attempt, Fault>> {
        let lent = self.link.lend_blocking(limit)?;
        Some(park::block_on(self.acquire(lent, request)))
    }

    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        let lent = self.link.lend_blocking(limit)?;
        Some(park::block_on(self.give_back(lent, lease)))
    }

    fn try_acquire_here(&self, request: &Request) -> Option<Shortcut<Attempt>> {
        let lent = self.link.lend_here()?;
        let (memcached, request) = (self.clone(), request.clone());
        let answer = Box::pin(async move { memcached.acquire(lent, &request).await });
        Some(Shortcut { answer, needs_runtime: true })
    }

    fn release_here(&self, lease: &Lease) -> Option<Shortcut<bool>> {
        let lent = self.link.lend_here()?;
        let (memcached, lease) = (self.clone(), lease.clone());
        let answer = Box::pin(async move { memcached.give_back(lent, &lease).await });
        Some(Shortcut { answer, needs_runtime: true })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut lent = self.link.lend().await?;
            let seconds = life::seconds(ttl.get());
            let answer = self.mine(&lease.key, &lease.owner).keep(&mut lent, seconds).await?;
            lent.finish();
            Ok(answer)
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async { self.give_back(self.link.lend().await?, lease).await })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async {
            let mut lent = self.link.lend().await?;
            let answer = lease::find_holder(&mut lent, key).await?;
            lent.finish();
            Ok(answer)
        })
    }

    fn held<'a>(&'a self, _prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async {
            Err(Fault::unsupported(
                "memcached cannot list its keys, so that nobody can tell which locks are held",
            ))
        })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(async {
            let mut lent = self.link.lend().await?;
            let answer = lease::force(&mut lent, key).await?;
            lent.finish();
            Ok(answer)
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let mut lent = self.link.lend().await?;
            lent.exchange([Command::nothing()]).await?;
            lent.finish();
            Ok(())
        })
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(async {
            let mut lent = self.link.lend().await?;
            let answer =
                self.mine(&request.key, &request.owner).adopt(&mut lent, request.ttl, &self.host).await?;
            lent.finish();
            Ok(answer)
        })
    }

    fn give_up<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        Box::pin(async {
            let mut lent = self.link.lend().await?;
            self.mine(&request.key, &request.owner).give_up(&mut lent).await?;
            lent.finish();
            Ok(())
        })
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memcached").field("address", &self.link.address).finish_non_exhaustive()
    }
}
