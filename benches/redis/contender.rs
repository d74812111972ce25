//! Who takes part over Redis.

use std::future::ready;

use benches::Result;
pub(crate) use benches::contender::{Answer, Blocking, Contender, Entry, Section, TTL, Waiting, place};

use crate::contenders::{blpop, distributed_lock, ours, passed_on, raw, redis_lock, redissun, rlock, rslock};

/// Us.
pub(crate) const OURS: Entry = Entry {
    name: benches::contender::OURS,
    waiting: Waiting::Woken,
    connect: |url| Box::pin(ours::connect(url)),
};

/// Us, with a connection on the caller's runtime.
pub(crate) const OURS_ON_RUNTIME: Entry = Entry {
    name: benches::contender::ON_RUNTIME,
    waiting: Waiting::Woken,
    connect: |url| Box::pin(ours::on_runtime(url)),
};

/// A lock and nothing else: no renewal, no fencing token, nobody waits.
pub(crate) const RAW: Entry =
    Entry { name: "raw client", waiting: Waiting::Never, connect: |url| Box::pin(raw::connect(url)) };

/// The same with what is asked of a lock that is fenced and can be waited for, and nothing around it.
pub(crate) const FENCED: Entry =
    Entry { name: "raw client, fenced", waiting: Waiting::Never, connect: |url| Box::pin(raw::fenced(url)) };

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

/// The same with what keeps a waiter that is stopped from stalling the others. For one task of a process at a time.
pub(crate) const PASSED_ON: Entry = Entry {
    name: "raw, passed on and claimed",
    waiting: Waiting::Woken,
    connect: |url| Box::pin(passed_on::connect(url)),
};

/// Who is there when nobody else wants the lock: the floor, ourselves, the peers.
pub(crate) const UNCONTENDED: [Entry; 10] = [
    RAW,
    FENCED,
    OURS,
    OURS_ON_RUNTIME,
    RSLOCK,
    REDIS_LOCK,
    RLOCK,
    DISTRIBUTED_LOCK,
    REDISSUN,
    REDISSUN_FENCED,
];

/// Who can wait for a lock: the floor, ourselves, the peers.
pub(crate) const WAITING: [Entry; 7] = [BLPOP, OURS, REDISSUN, REDISSUN_FAIR, RLOCK, RSLOCK, REDIS_LOCK];

/// Who bears that name.
pub(crate) fn named(name: &str) -> Result<Entry> {
    let found = UNCONTENDED.iter().chain(&WAITING).chain([&PASSED_ON]).find(|entry| entry.name == name);
    Ok(*found.ok_or_else(|| format!("no contender is called {name}"))?)
}
