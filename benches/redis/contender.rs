//! Who takes part: every lock over Redis behind one small trait, used as its documentation says.

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use benches::Result;

use crate::contenders::{blpop, distributed_lock, ours, raw, redis_lock, redissun, rlock, rslock};

/// How long a lock outlives a holder that died, where one can say so.
pub(crate) const TTL: Duration = Duration::from_secs(30);

/// What is done under the lock.
pub(crate) type Section = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a contender's call comes to.
pub(crate) type Answer<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A lock for asynchronous callers, connected.
pub(crate) trait Contender: Send + Sync {
    /// Waits for the lock of a key, lets the section run under it, and returns when the lock is given back.
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a>;

    /// Waits for the lock of a key and drops its guard, where that releases it behind the caller's back.
    fn dropped<'a>(&'a self, _key: &'a str) -> Option<Answer<'a>> {
        None
    }
}

/// A lock for callers that block their thread, connected.
pub(crate) trait Blocking: Send + Sync {
    /// Waits for the lock of a key, runs the section under it, and returns when the lock is given back.
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result;
}

/// How a contender comes by a lock that another holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// It is woken.
    Woken,
    /// It looks again every now and then.
    Polls,
    /// It does not wait: a held lock is an error.
    Never,
}

/// A contender that is yet to be connected.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) waiting: Waiting,
    connect: fn(String) -> Answer<'static, Arc<dyn Contender>>,
}

impl Entry {
    /// Connects within the runtime that will use it.
    pub(crate) async fn connect(&self, url: &str) -> Result<Arc<dyn Contender>> {
        (self.connect)(url.to_owned()).await
    }

    /// A key that no other contender uses.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.name.replace(' ', "-"))
    }
}

/// Us.
pub(crate) const OURS: Entry =
    Entry { name: "lock", waiting: Waiting::Woken, connect: |url| Box::pin(ours::connect(url)) };

/// Us, with a connection on the caller's runtime.
pub(crate) const OURS_ON_RUNTIME: Entry = Entry {
    name: "lock, on_runtime",
    waiting: Waiting::Woken,
    connect: |url| Box::pin(ours::on_runtime(url)),
};

/// A lock and nothing else: no renewal, no fencing token, nobody waits.
pub(crate) const RAW: Entry =
    Entry { name: "raw client", waiting: Waiting::Never, connect: |url| Box::pin(raw::connect(url)) };

/// The strongest peer.
pub(crate) const REDISSUN: Entry =
    Entry { name: "redissun", waiting: Waiting::Woken, connect: |url| Box::pin(redissun::plain(url)) };

const REDISSUN_FAIR: Entry =
    Entry { name: "redissun fair", waiting: Waiting::Woken, connect: |url| Box::pin(redissun::fair(url)) };

const REDISSUN_FENCED: Entry = Entry {
    name: "redissun fenced",
    waiting: Waiting::Woken,
    connect: |url| Box::pin(redissun::fenced(url)),
};

/// A poller with a steady interval, and one that renews.
pub(crate) const RLOCK: Entry =
    Entry { name: "rlock", waiting: Waiting::Polls, connect: |url| Box::pin(rlock::connect(url)) };

const RSLOCK: Entry = Entry {
    name: "rslock",
    waiting: Waiting::Polls,
    connect: |url| Box::pin(ready(Ok(rslock::connect(url)))),
};

const REDIS_LOCK: Entry =
    Entry { name: "redis-lock", waiting: Waiting::Polls, connect: |url| Box::pin(redis_lock::connect(url)) };

const DISTRIBUTED_LOCK: Entry = Entry {
    name: "distributed-lock",
    waiting: Waiting::Never,
    connect: |url| Box::pin(distributed_lock::connect(url)),
};

/// The floor of being woken.
pub(crate) const BLPOP: Entry =
    Entry { name: "raw BLPOP", waiting: Waiting::Woken, connect: |url| Box::pin(blpop::connect(url)) };

/// Who is there when nobody else wants the lock: the floor, ourselves, the peers.
pub(crate) const UNCONTENDED: [Entry; 9] =
    [RAW, OURS, OURS_ON_RUNTIME, RSLOCK, REDIS_LOCK, RLOCK, DISTRIBUTED_LOCK, REDISSUN, REDISSUN_FENCED];

/// Who can wait for a lock: the floor, ourselves, the peers.
pub(crate) const WAITING: [Entry; 7] = [BLPOP, OURS, REDISSUN, REDISSUN_FAIR, RLOCK, RSLOCK, REDIS_LOCK];

/// Who bears that name.
pub(crate) fn named(name: &str) -> Result<Entry> {
    let found = UNCONTENDED.iter().chain(&WAITING).find(|entry| entry.name == name);
    Ok(*found.ok_or_else(|| format!("no contender is called {name}"))?)
}

/// Whom these are, as positions: the place of one in a field of contenders.
pub(crate) fn place(field: &[Entry], who: Entry) -> Result<usize> {
    Ok(field
        .iter()
        .position(|entry| entry.name == who.name)
        .ok_or_else(|| format!("{} is missing", who.name))?)
}
