//! The backends under test. A new one is one entry more.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, Weak},
};

use lock_core::{
    Locker, Settings,
    backend::{Backend, Capabilities},
    backends::{File, Memcached, MySql, Postgres, Redis, Sqlite, postgres::Advisory},
    conformance::{Leases, Subject},
};

use crate::{
    scratch::Scratch,
    servers::{MariaDbServer, MemcachedServer, PgbouncerServer, Pooling, PostgresServer, RedisServer},
};

/// Every backend, each on a store of its own that lasts as long as the subject.
pub fn subjects() -> Vec<Subject> {
    vec![
        memory(),
        file(),
        sqlite(),
        redis("redis", ""),
        redis("redis-on-runtime", "?on_runtime=yes"),
        memcached(),
        postgres("postgres", ""),
        postgres("postgres-on-runtime", "?on_runtime=yes"),
        postgres_advisory(),
        postgres_pooled(),
        mysql(),
        leases("leases", Leases::new()),
        leases("leases-notifying", Leases::new().notifying()),
    ]
}

/// `memory://`
pub fn memory() -> Subject {
    let mut capabilities = Capabilities::default();
    capabilities.immediate = true;
    capabilities.across_processes = false;
    capabilities.across_hosts = false;
    capabilities.notifies = true;
    capabilities.bound_to_process = true;
    capabilities.hand_over = true;
    let url = format!("memory://conformance-{}", std::process::id());
    // Without anybody to use it, a space of names is forgotten.
    let anchor = Locker::open(&url).unwrap();
    Subject::new("memory", capabilities, move |settings| {
        let _ = &anchor;
        Locker::open_with(&url, settings)
    })
}

/// `file:///directory`
pub fn file() -> Subject {
    let directory = Arc::new(Scratch::new("conformance"));
    let capabilities = File::shared(directory.path()).capabilities();
    let url = directory.url();
    Subject::new("file", capabilities, move |settings| {
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(File::shared(directory.path()), settings)
    })
    .helper(move || holder(&url))
}

/// `sqlite:///file`
pub fn sqlite() -> Subject {
    let directory = Arc::new(Scratch::new("conformance"));
    // A file per case: a process that is stopped in the middle of a write keeps its file from all others.
    let url = format!("sqlite://{}/{BY_PREFIX}.db", directory.path().display());
    let capabilities = Sqlite::open(&url).unwrap().capabilities();
    let of = url.clone();
    Subject::new("sqlite", capabilities, move |settings| {
        // For as long as the subject lasts.
        let _ = &directory;
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(Sqlite::open(&by_prefix(&of, settings))?, settings)
    })
    .helper(move || holder(&url))
}

/// `redis://`, on a server that lasts as long as any subject of this process.
pub fn redis(name: &str, query: &'static str) -> Subject {
    static SERVER: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
    let mut started = SERVER.lock().unwrap();
    let server = started.upgrade().unwrap_or_else(|| Arc::new(RedisServer::start()));
    *started = Arc::downgrade(&server);
    let url = server.url() + query;
    let capabilities = Redis::open(&url).unwrap().capabilities();
    let of = url.clone();
    Subject::new(name, capabilities, move |settings| {
        // For as long as the subject lasts.
        let _ = &server;
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(Redis::open(&of)?, settings)
    })
    .helper(move || holder(&url))
}

/// `memcache://`, on a server that lasts as long as any subject of this process.
pub fn memcached() -> Subject {
    static SERVER: Mutex<Weak<MemcachedServer>> = Mutex::new(Weak::new());
    let mut started = SERVER.lock().unwrap();
    let server = started.upgrade().unwrap_or_else(|| Arc::new(MemcachedServer::start()));
    *started = Arc::downgrade(&server);
    let url = server.url();
    let capabilities = Memcached::open(&url).unwrap().capabilities();
    let of = url.clone();
    Subject::new("memcached", capabilities, move |settings| {
        // For as long as the subject lasts.
        let _ = &server;
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(Memcached::open(&of)?, settings)
    })
    .helper(move || holder(&url))
}

/// `postgres://`, on a server that lasts as long as any subject of this process.
pub fn postgres(name: &str, query: &str) -> Subject {
    let server = postgres_server();
    let url = server.url() + query;
    let capabilities = Postgres::open(&url).unwrap().capabilities();
    on_postgres(name, url, capabilities, server)
}

/// `postgres://` through a few sessions of a pgbouncer in transaction mode, which announces nothing.
pub fn postgres_pooled() -> Subject {
    let server = postgres_server();
    let pooler = PgbouncerServer::before(&server, Pooling::Transaction, 8, true);
    let url = pooler.url();
    let mut capabilities = Postgres::open(&url).unwrap().capabilities();
    capabilities.notifies = false;
    on_postgres("postgres-pooled", url, capabilities, (server, pooler))
}

/// `postgres://…?mode=advisory`
pub fn postgres_advisory() -> Subject {
    let server = postgres_server();
    let url = server.url() + "?mode=advisory";
    let capabilities = Advisory::open(&url).unwrap().capabilities();
    let of = url.clone();
    Subject::new("postgres-advisory", capabilities, move |settings| {
        let _ = &server;
        Locker::with_backend_and(Advisory::open(&of)?, settings)
    })
    .helper(move || holder(&url))
}

fn postgres_server() -> Arc<PostgresServer> {
    static SERVER: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    let mut started = SERVER.lock().unwrap();
    // Each case has several clients, with several connections each.
    let start = || Arc::new(PostgresServer::with(&["max_connections=500"]));
    let server = started.upgrade().unwrap_or_else(start);
    *started = Arc::downgrade(&server);
    server
}

/// The backend behind a URL, for as long as what keeps it lasts.
fn on_postgres<T>(name: &str, url: String, capabilities: Capabilities, kept: T) -> Subject
where
    T: Send + Sync + 'static,
{
    let of = url.clone();
    Subject::new(name, capabilities, move |settings| {
        let _ = &kept;
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(Postgres::open(&of)?, settings)
    })
    .helper(move || holder(&url))
}

/// `mysql://`, on a server that lasts as long as any subject of this process.
pub fn mysql() -> Subject {
    static SERVER: Mutex<Weak<MariaDbServer>> = Mutex::new(Weak::new());
    let mut started = SERVER.lock().unwrap();
    let server = started.upgrade().unwrap_or_else(|| Arc::new(MariaDbServer::start()));
    *started = Arc::downgrade(&server);
    let url = server.url();
    let capabilities = MySql::open(&url).unwrap().capabilities();
    let of = url.clone();
    Subject::new("mysql", capabilities, move |settings| {
        // For as long as the subject lasts.
        let _ = &server;
        // Not by its URL: lockers of one process on one URL are one client.
        Locker::with_backend_and(MySql::open(&of)?, settings)
    })
    .helper(move || holder(&url))
}

/// Leases in this process's memory, with a ttl and a way to travel.
fn leases(name: &str, store: Leases) -> Subject {
    Subject::new(name, store.capabilities(), move |settings| {
        Locker::with_backend_and(store.client(), settings)
    })
}

/// What stands in a URL for the prefix of the locker.
const BY_PREFIX: &str = "by-prefix";

/// The URL of a store that is another one for each prefix, if it is such a one.
pub fn by_prefix(url: &str, settings: &Settings) -> String {
    let letter = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let prefix: String = settings.prefix.iter().flat_map(|prefix| prefix.chars()).map(letter).collect();
    url.replace(BY_PREFIX, &prefix)
}

/// The program that obeys the cases in another process, on the store behind `url`.
pub fn holder(url: &str) -> Command {
    let mut command = Command::new(holder_path());
    command.arg("serve").arg(url);
    command
}

/// A process full of callers, on the store behind `url`.
pub fn crowd(url: &str) -> Command {
    let mut command = Command::new(beside_us("crowd"));
    command.arg(url);
    command
}

/// A process that forks while it holds locks, on the store of a subject with a helper.
pub fn forks(subject: &Subject) -> Command {
    let mut command = Command::new(beside_us("forks"));
    command.args(subject.command().unwrap().get_args().skip(1));
    command
}

/// Where the first of them is.
pub fn holder_path() -> PathBuf {
    beside_us("holder")
}

/// Where a program of this package is: cargo builds it beside the tests.
fn beside_us(program: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let found = this.ancestors().skip(1).map(|directory| directory.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("cargo builds the program {program:?} before the tests"))
}
