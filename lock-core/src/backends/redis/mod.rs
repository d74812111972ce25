//! `redis://`, `rediss://`, `redis+unix://`: one Redis, from 6.2 on, or Valkey.
//!
//! The lock is a plain key with its owner as the value and a time to live, what `SET key owner NX PX ttl` makes, so that
//! redis-py, redsync and other clients exclude us and we them. Beside it stand a record of the holder and the queue of
//! those who wait, under the key's name and a control character, which no key has.
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all hosts that use the server | a lock that survives a fail-over to a replica, or a restart without persistence: the guard is told at its next renewal |
//! | fencing tokens grow over expiry, restart and a flush: max(last + 1, server time in µs) | against a clock that goes back, by more than ten minutes or together with lost records: a flush, a restart without persistence, a replica whose clock is behind by more than the fail-over took |
//! | waiters are passed the lock by the release, across processes, first come first served | the same for a foreign client's lock: it is looked at every `retry` |
//! | a foreign type on the key is "held", never deleted | |
//!
//! # Settings
//! Beside those of every locker, in the URL's query: `db=0` for a socket, and `on_runtime=no`. With `on_runtime=yes` an async
//! caller's tokio runtime gets a connection of its own, which saves two hops through the background thread a call: a
//! fifth of the time of one caller where the server is on the same machine, and a third of that of a crowd on one thread; next
//! to nothing over a network. Such a runtime needs `enable_io` and `enable_time`, as `#[tokio::main]` has; one without panics.
//!
//! # Permissions
//! `ACL SETUSER app on >… ~lock:* &lock:waiters:* +@connection +@scripting +role +info +subscribe +publish +get +set
//! +mget +exists +del +pexpire +pttl +time +zadd +zrem +zpopmin +zrange +scan`, with the prefix of the locker for `~lock:*`.
//! Without `&lock:waiters:*` and `+subscribe`, waiting callers look again every `retry`; without `+mget` and `+exists`, a
//! crowd asks one by one; `+role` and `+info` are for the warnings.

mod address;
mod checks;
mod crowd;
mod fault;
mod link;
mod local;
mod names;
mod pool;
mod pushes;
mod reply;
mod requests;
mod scripts;
mod waiters;
mod wish;

use std::{fmt, sync::Arc, time::Duration};

use redis::{Client, FromRedisValue, ProtocolVersion, Value};
use tokio::task::{JoinError, JoinSet};

pub(crate) use self::address::Address;
use self::{
    link::{Link, Up},
    requests::Way,
    scripts::Call,
    wish::{Give, Stands, Take, Wish, kept, millis},
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Shortcut, Watch},
    backends::tls,
    error::{Error, Result},
    host,
    key::Key,
    lease::{Holder, Lease, Ttl},
    queue::Queue,
    shared::Shared,
    url::Place,
};

/// How many holders are asked for at once in a list.
const AT_ONCE: usize = 64;

/// Locks on one Redis or Valkey server.
///
/// ```no_run
/// use lock_core::Locker;
///
/// let locker = Locker::open("redis://127.0.0.1/0?prefix=app:")?;
/// let guard = locker.lock("report").acquire()?;
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// A clone is the same client.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    /// ` pid host `, for the record.
    whom: Arc<str>,
}

impl Redis {
    /// The server behind a URL, as [`Locker::open`](crate::Locker::open) takes it. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the client cannot be made.
    pub(crate) fn new(address: Address) -> Result<Self> {
        if address.is_tls() {
            tls::install();
        }
        let client = |protocol| {
            let client = address.to_info(protocol).and_then(Client::open);
            client.map_err(|error| Error::config(format!("{address}: {error}")))
        };
        let (speaking, plain) = (client(ProtocolVersion::RESP3)?, client(ProtocolVersion::RESP2)?);
        Ok(Self { link: Link::new(address, speaking, plain)?, whom: whom().into() })
    }

    /// A client of its own of the server behind a URL; settings in its query are not for the backend.
    ///
    /// Lockers that are [opened](crate::Locker::open) by URL share one client per server and user, which is cheaper.
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none of a Redis.
    pub fn open(url: &str) -> Result<Self> {
        match crate::url::Url::parse(url)?.place {
            Place::Redis(address) => Self::new(address),
            _ => Err(Error::config(
                "it is not the URL of a Redis; accepted are redis://, rediss:// and redis+unix://",
            )),
        }
    }

    /// The one of this process for an address, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Result<Arc<(Arc<Queue>, Arc<Self>)>> {
        static OPENED: Shared<(Arc<Queue>, Arc<Redis>)> = Shared::new();
        let redis = Self::new(address)?;
        let name = redis.link.address().identity();
        Ok(OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(redis))))
    }

    /// Who can wait is expected to be told from now on.
    fn to_acquire(&self, up: &Up, request: &Request) -> Take {
        let (told, stands) = match (self.link.waiters.place(request), &up.told) {
            (Some(told), _) => (told, if request.give_way { Stands::Maybe } else { Stands::NoLonger }),
            (None, Some(told)) if request.give_way => {
                (self.link.waiters.expect(request, Arc::clone(told)), Stands::NotYet)
            }
            (None, told) => (told.clone().unwrap_or_default(), Stands::Never),
        };
        Take {
            key: request.key.clone(),
            owner: request.owner.clone(),
            ttl: request.ttl.get(),
            reserve: request.reserve.max(1),
            whom: Arc::clone(&self.whom),
            told,
            stands,
        }
    }

    fn acquired(&self, answer: &Value, request: &Request) -> Result<Attempt, Fault> {
        let attempt = reply::attempt(answer, request, self.link.address())?;
        let attempt = attempt.ok_or_else(|| reply::unexpected(answer, self.link.address()))?;
        match &attempt {
            Attempt::Granted(_) => drop(self.link.waiters.forget(request)),
            Attempt::Held { holder, .. } => self.link.note(&request.key, holder.as_deref()),
        }
        Ok(attempt)
    }

    fn released(&self, answer: &Value) -> Result<bool, Fault> {
        bool::from_redis_value_ref(answer).map_err(|_| reply::unexpected(answer, self.link.address()))
    }

    async fn acquire(&self, request: &Request) -> Result<Attempt, Fault> {
        let up = self.link.up().await?;
        let wish = self.to_acquire(&up, request);
        let answer = self.link.ask(&Way::Shared(up), wish).await?;
        self.acquired(&answer, request)
    }

    async fn take_over(&self, request: &Request) -> Result<Option<Attempt>, Fault> {
        let way = self.link.shared().await?;
        let call = Call::new(&self.link.scripts.adopt, &names::with_record(&request.key))
            .owner(&request.owner)
            .arg(millis(request.ttl.get()))
            .arg(kept(request.ttl.get()))
            .arg(1)
            .arg(format!("{}{}", self.whom, request.owner));
        let answer: Value = self.link.invoke(&way, &call).await?;
        reply::attempt(&answer, request, self.link.address())
    }

    async fn prolong(&self, lease: &Lease, ttl: Ttl) -> Result<bool, Fault> {
        let way = self.link.shared().await?;
        let call = Call::new(&self.link.scripts.renew, &names::with_record(&lease.key))
            .owner(&lease.owner)
            .arg(millis(ttl.get()))
            .arg(kept(ttl.get()));
        self.link.invoke(&way, &call).await
    }

    async fn give_back(&self, lease: &Lease) -> Result<bool, Fault> {
        let way = self.link.shared().await?;
        let answer = self.link.ask(&way, Give::from(lease)).await?;
        self.released(&answer)
    }

    async fn find_holder(&self, way: &Way, key: &Key) -> Result<Option<Holder>, Fault> {
        let call = Call::new(&self.link.scripts.holder, &names::with_record(key));
        match self.link.invoke(way, &call).await? {
            Value::Nil => Ok(None),
            answer => match reply::holder(&answer, key) {
                Some(holder) => Ok(Some(holder)),
                None => Err(reply::unexpected(&answer, self.link.address())),
            },
        }
    }

    /// By SCAN, which does not hold up the server; what is a lock is told by the records.
    async fn list(&self, prefix: &str) -> Result<Vec<Holder>, Fault> {
        let way = self.link.shared().await?;
        let pattern = names::records_under(prefix);
        let (mut cursor, mut keys) = (String::from("0"), std::collections::BTreeSet::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
            let (next, found): (String, Vec<String>) = self.link.query(&way, &scan).await?;
            keys.extend(found.iter().filter_map(|name| names::of_record(name)));
            if next == "0" {
                break;
            }
            cursor = next;
        }
        let (mut holders, mut asked) = (Vec::new(), JoinSet::new());
        for key in keys {
            if asked.len() >= AT_ONCE {
                holders.extend(listed(asked.join_next().await)?);
            }
            let (redis, way) = (self.clone(), way.clone());
            asked.spawn(async move { redis.find_holder(&way, &key).await });
        }
        while !asked.is_empty() {
            holders.extend(listed(asked.join_next().await)?);
        }
        Ok(holders)
    }

    async fn force(&self, key: &Key) -> Result<bool, Fault> {
        let way = self.link.shared().await?;
        let call = Call::new(&self.link.scripts.force_release, &names::all(key));
        self.link.invoke(&way, &call).await
    }
}

impl Backend for Redis {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            notifies: true,
            queues: true,
            hand_over: true,
            ttl_grain: Duration::from_millis(1),
            ..Capabilities::default()
        }
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(self.acquire(request))
    }

    fn try_acquire_here(&self, request: &Request) -> Option<Shortcut<Attempt>> {
        let up = self.link.is_up()?;
        let here = self.link.here(&up)?;
        let (redis, request, needs_runtime) = (self.clone(), request.clone(), here.needs_runtime());
        let answer = async move {
            let answer = redis.link.ask(&here, redis.to_acquire(&up, &request)).await?;
            redis.acquired(&answer, &request)
        };
        Some(Shortcut { answer: Box::pin(answer), needs_runtime })
    }

    fn release_here(&self, lease: &Lease) -> Option<Shortcut<bool>> {
        let up = self.link.is_up()?;
        let here = self.link.here(&up)?;
        let (redis, lease, needs_runtime) = (self.clone(), lease.clone(), here.needs_runtime());
        let answer = async move {
            let answer = redis.link.ask(&here, Give::from(&lease)).await?;
            redis.released(&answer)
        };
        Some(Shortcut { answer: Box::pin(answer), needs_runtime })
    }

    fn try_acquire_blocking(&self, request: &Request, limit: Duration) -> Option<Result<Attempt, Fault>> {
        // The shared connection is made first: what is checked there holds for these.
        let up = self.link.is_up()?;
        let call = self.to_acquire(&up, request).alone(&self.link.scripts);
        let answer = self.link.invoke_blocking(&up, &call, limit)?;
        Some(answer.and_then(|answer: Value| self.acquired(&answer, request)))
    }

    fn release_blocking(&self, lease: &Lease, limit: Duration) -> Option<Result<bool, Fault>> {
        let up = self.link.is_up()?;
        self.link.invoke_blocking(&up, &Give::from(lease).alone(&self.link.scripts), limit)
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(self.prolong(lease, ttl))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(self.give_back(lease))
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move { self.find_holder(&self.link.shared().await?, key).await })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(self.list(prefix))
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(self.force(key))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let way = self.link.shared().await?;
            self.link.query::<Value>(&way, &redis::cmd("PING")).await.map(drop)
        })
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(self.take_over(request))
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async { Ok(self.link.waiters.listen(request)) })
    }

    fn give_up<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        Box::pin(async {
            let Some(told) = self.link.waiters.forget(request) else { return Ok(()) };
            let way = self.link.shared().await?;
            self.link.give_up(&way, &request.key, &request.owner, &told).await
        })
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("address", self.link.address()).finish_non_exhaustive()
    }
}

/// A holder that is of this library, as it was asked for.
fn listed(asked: Option<Result<Result<Option<Holder>, Fault>, JoinError>>) -> Result<Option<Holder>, Fault> {
    let found = asked.transpose().map_err(Fault::failed)?.transpose()?.flatten();
    Ok(found.filter(|holder| holder.fencing_token.is_some()))
}

fn whom() -> String {
    let host = host::name().replace(char::is_whitespace, "-");
    format!(" {} {} ", std::process::id(), if host.is_empty() { "-" } else { &host })
}
