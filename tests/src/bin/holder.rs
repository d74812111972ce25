//! Another process: obeys the conformance cases, ends in many ways, and shows what the facade makes of its environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program of the tests")]

use std::{fs, path::PathBuf, process, sync::Arc, thread, time::Duration};

use lock_core::{
    Error, Holder, Key, Lease, Locker, Ttl,
    backend::{Answer, Attempt, Backend, Capabilities, Request},
    conformance::{Leases, serve},
    fencing::redis::fenced,
};
use tests::{servers::RedisServer, subjects::by_prefix};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", url] => serve(|settings| Locker::open_with(&by_prefix(url, settings), settings)),
        ["server"] => keep_a_server(),
        ["fenced", url, key] => write_when_told(url, key),
        ["slow", released, how] => end_with_a_slow_release(released, how),
        ["facade", key] => tell(show(&lock::lock(key))),
        ["facade", key, name] => tell(lock::locker(name).and_then(|locker| show(&locker.lock(key)))),
        ["open", url, count] => tell(open_many(url, count.parse().unwrap())),
        _ => panic!("not a command: {arguments:?}"),
    }
}

/// Holds the lock of a key of Redis, tells its token, and writes each line that comes to the key, as long as it may.
fn write_when_told(url: &str, key: &str) {
    let lock = Locker::open(url).unwrap().lock(key).ttl(Duration::from_millis(600));
    // Once more if the machine was too busy to answer while there was enough left of the lease.
    let guard = (0..20).find_map(|_| lock.acquire().ok()).unwrap();
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    for line in std::io::stdin().lines() {
        let write = fenced("SET", key, guard.fencing_token()).arg(line.unwrap());
        let written = write.query::<()>(&mut connection).unwrap();
        println!(
            "{}\t{}",
            guard.fencing_token(),
            written.map_or_else(|stale| stale.to_string(), |()| "written".into())
        );
    }
}

/// Tells the process id of a server of its own and its directory, and ends by a panic when its input does.
fn keep_a_server() {
    let server = RedisServer::start();
    println!("{}\t{}", server.number("server", "process_id"), server.directory().display());
    std::io::stdin().lines().for_each(drop);
    panic!("on purpose, {}", server.url());
}

fn tell(result: Result<String, Error>) {
    match result {
        Ok(text) => println!("{text}"),
        Err(error) => {
            println!("error: {error}\n{error:?}");
            process::exit(1);
        }
    }
}

/// What a lock is like that the configuration makes.
fn show(lock: &lock::Lock) -> Result<String, Error> {
    let guard = lock.clone().renew(false).acquire()?;
    let (key, remaining) = (guard.key().to_owned(), guard.remaining().as_millis());
    drop(guard);
    Ok(format!("{key}\t{remaining}\t{}\t{lock:?}", lock.is_locked()?))
}

/// Acquires many locks, and then one more after all of them were released.
fn open_many(url: &str, count: u32) -> Result<String, Error> {
    let locker = Locker::open(url)?;
    let held: Result<Vec<_>, Error> = (0..count)
        .map(|number| locker.lock(format!("many-{number}")).wait(Duration::from_secs(1)).acquire())
        .collect();
    let said = held.map_or_else(|error| error.to_string(), |held| held.len().to_string());
    drop(locker.lock("afterwards").acquire()?);
    Ok(format!("{said}\t{:?}", locker.held().map(|held| held.len())))
}

fn end_with_a_slow_release(released: &str, how: &str) {
    let backend = Slow { leases: Leases::new(), released: Arc::new(released.into()) };
    let lock = Locker::with_backend(backend).lock("k");
    let acquire = || smol::block_on(lock.acquire_async()).unwrap();
    match how {
        "return" => drop(lock.acquire().unwrap()),
        "exit" => {
            drop(lock.acquire().unwrap());
            process::exit(0);
        }
        "async-return" => drop(acquire()),
        "async-exit" => {
            drop(acquire());
            process::exit(0);
        }
        "worker" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.block_on(async {
                tokio::spawn(async move { drop(lock.acquire_async().await.unwrap()) }).await.unwrap();
            });
        }
        "current-thread" => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { drop(lock.acquire_async().await.unwrap()) });
        }
        "thread" => {
            let guard = acquire();
            thread::spawn(move || drop(guard)).join().unwrap();
        }
        "panic" => {
            let _guard = acquire();
            panic!("on purpose");
        }
        _ => panic!("not a way to end: {how}"),
    }
}

/// Leases whose release takes a while and leaves a trace that outlives the process.
#[derive(Debug)]
struct Slow {
    leases: Leases,
    released: Arc<PathBuf>,
}

impl Backend for Slow {
    fn capabilities(&self) -> Capabilities {
        self.leases.capabilities()
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        self.leases.try_acquire(request)
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        self.leases.renew(lease, ttl)
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let released = self.leases.release(lease).await?;
            fs::write(&*self.released, "released")?;
            Ok(released)
        })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        self.leases.holder(key)
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        self.leases.held(prefix)
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        self.leases.force_release(key)
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.leases.ping()
    }
}
