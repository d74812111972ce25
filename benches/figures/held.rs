//! What locks cost that are only held.

use benches::{
    Result, machine, part,
    report::{Demand, Row},
};
use lock::{Guard, Locker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Effort, file::Scratch};

const LOCKS: u32 = 10_000;
/// Files that are open already, or that the runtime opens meanwhile.
const SPARE_FILES: u64 = 100;

pub(crate) fn measure(_: Effort) -> Result<Vec<Row>> {
    let directory = Scratch::new("held")?;
    let file = format!("file://{}", directory.0.display());
    let mut rows = Vec::new();
    for (store, url) in [("memory", "memory://bench-held"), ("file", &file)] {
        let [locks, threads, bytes] = part::numbers("held", &[url])?;
        let figure = |what: &str| format!("{store}: {what} for {locks} held locks");
        rows.push(Row::alone(&figure("threads"), threads.to_string(), threads, Demand::AtMost(0.0)));
        let each = bytes / locks;
        rows.push(Row::alone(&figure("bytes each"), format!("{each:.0}"), each, Demand::Below(1024.0)));
    }
    Ok(rows)
}

/// Holds many locks, and prints how many, the threads and the bytes that they took.
pub(crate) fn hold(url: &str) -> Result {
    let locks = if url.starts_with("file:") { LOCKS.min(files()?) } else { LOCKS };
    let locker = Locker::open(url)?;
    // What the first lock of a process sets up is not the cost of a lock.
    let _first = locker.lock("first").acquire()?;
    let mut guards: Vec<Guard> = Vec::new();
    let (threads, resident) = (machine::threads()?, machine::resident()?);
    for number in 0..locks {
        guards.push(locker.lock(format!("held:{number}")).acquire()?);
    }
    let (threads, resident) = (machine::threads()? - threads, machine::resident()?.saturating_sub(resident));
    println!("{locks} {threads} {resident}");
    drop(guards);
    Ok(())
}

/// How many files may be open, after asking for as many as there may be.
fn files() -> Result<u32> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(SPARE_FILES);
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}
