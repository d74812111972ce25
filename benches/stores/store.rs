//! Who takes part on which store.

use std::sync::Arc;

use benches::{
    Result,
    contender::{Answer, Blocking, Contender, Entry, ON_RUNTIME, OURS, Waiting},
    report::Demand,
};

use crate::{
    contenders::{advisory, bare, memcached, mysql, ours, postgres, sqlite},
    servers::{self, Server},
};

type ConnectBlocking = fn(&str) -> Result<Arc<dyn Blocking>>;
type Connecting = Answer<'static, Arc<dyn Contender>>;

/// A store, and those who keep locks in it.
pub(crate) struct Store {
    /// What begins its URLs, too.
    pub(crate) name: &'static str,
    /// As it calls itself.
    pub(crate) title: &'static str,
    pub(crate) start: fn() -> Server,
    /// The floor, ourselves, and others.
    pub(crate) field: &'static [Entry],
    /// The floor with as many connections as we have at most.
    pub(crate) pool: Entry,
    /// The floor of callers that block, with its name.
    pub(crate) blocking: (&'static str, ConnectBlocking),
    /// The place in the field of what we are not to be much slower than.
    pub(crate) floor: usize,
    /// What we are not to be slower than, by the floor.
    pub(crate) pace: Demand,
    /// How many round trips there may be from one process to another.
    pub(crate) trips: Demand,
}

/// The places in every field.
pub(crate) const RAW_PLACE: usize = 0;
pub(crate) const OURS_PLACE: usize = 1;

const LOCK: Entry =
    Entry { name: OURS, waiting: Waiting::Woken, connect: |url| Box::pin(ours::connect(url, "")) };

const LOCK_ON_RUNTIME: Entry = Entry {
    name: ON_RUNTIME,
    waiting: Waiting::Woken,
    connect: |url| Box::pin(ours::connect(url, "&on_runtime=yes")),
};

const fn raw(connect: fn(String) -> Connecting) -> Entry {
    Entry { name: "raw client", waiting: Waiting::Polls, connect }
}

const fn raw_pool(connect: fn(String) -> Connecting) -> Entry {
    Entry { name: "raw client, pool", waiting: Waiting::Polls, connect }
}

pub(crate) const STORES: [Store; 4] = [
    Store {
        name: "postgres",
        title: "PostgreSQL",
        start: servers::postgres,
        field: &[
            raw(|url| Box::pin(bare::connect::<postgres::Client>(url, 1))),
            LOCK,
            Entry {
                name: "lock, mode=advisory",
                waiting: Waiting::Woken,
                connect: |url| Box::pin(ours::connect(url, "&mode=advisory")),
            },
            Entry {
                name: "sqlx PgAdvisoryLock",
                waiting: Waiting::Woken,
                connect: |url| Box::pin(advisory::connect(url)),
            },
            LOCK_ON_RUNTIME,
        ],
        pool: raw_pool(|url| Box::pin(bare::connect::<postgres::Client>(url, 4))),
        blocking: ("raw client", bare::blocking::<postgres::Client>),
        floor: RAW_PLACE,
        pace: Demand::AtMost(1.3),
        trips: Demand::AtMost(5.0),
    },
    Store {
        name: "mysql",
        title: "MariaDB",
        start: servers::mariadb,
        field: &[raw(|url| Box::pin(bare::connect::<mysql::Client>(url, 1))), LOCK, LOCK_ON_RUNTIME],
        pool: raw_pool(|url| Box::pin(bare::connect::<mysql::Client>(url, 4))),
        blocking: ("raw client", bare::blocking::<mysql::Client>),
        floor: RAW_PLACE,
        pace: Demand::Shown,
        trips: Demand::Shown,
    },
    Store {
        name: "memcache",
        title: "memcached",
        start: servers::memcached,
        field: &[
            raw(|url| Box::pin(bare::connect::<memcached::Least>(url, 1))),
            LOCK,
            Entry {
                name: "raw, our commands",
                waiting: Waiting::Polls,
                connect: |url| Box::pin(bare::connect::<memcached::Same>(url, 1)),
            },
            LOCK_ON_RUNTIME,
        ],
        pool: raw_pool(|url| Box::pin(bare::connect::<memcached::Same>(url, 8))),
        blocking: ("raw, our commands", memcached::blocking),
        floor: 2,
        pace: Demand::AtMost(1.3),
        trips: Demand::Shown,
    },
    Store {
        name: "sqlite",
        title: "SQLite",
        start: servers::sqlite,
        field: &[raw(|url| Box::pin(bare::connect::<sqlite::Client>(url, 1))), LOCK],
        pool: raw_pool(|url| Box::pin(bare::connect::<sqlite::Client>(url, 1))),
        blocking: ("raw client", bare::blocking::<sqlite::Client>),
        floor: RAW_PLACE,
        pace: Demand::AtMost(1.3),
        trips: Demand::Shown,
    },
];

/// The store of a URL.
pub(crate) fn of(url: &str) -> Result<&'static Store> {
    let found = STORES.iter().find(|store| url.starts_with(store.name));
    Ok(found.ok_or_else(|| format!("no store has the URL {url}"))?)
}

/// Who bears that name there.
pub(crate) fn named(name: &str, url: &str) -> Result<Entry> {
    let found = of(url)?.field.iter().find(|entry| entry.name == name);
    Ok(*found.ok_or_else(|| format!("no contender is called {name}"))?)
}
