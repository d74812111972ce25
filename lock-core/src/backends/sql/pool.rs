//! A few connections, each for one statement at a time.
//!
//! Not sqlx's pool: a connection whose answer was not waited for to the end is never used again here, a broken one takes
//! all the idle ones of its time with it (a restarted server would fail one caller per connection), and a forked child
//! leaves its parent's alone.

use std::{
    future::Future,
    mem,
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::sync::{self, Mutex};

/// A connection that nobody used for so long is closed instead: something in between may have forgotten it.
const IDLE: Duration = Duration::from_mins(5);

/// Connections for whoever comes.
pub(in crate::backends) struct Pool<C> {
    /// First come, first served.
    permits: Semaphore,
    idle: Mutex<Idle<C>>,
}

/// A connection in use. Dropped, it is closed: who was dropped with it may not have read all that it was told.
pub(in crate::backends) struct Lent<'a, C: Send> {
    pool: &'a Pool<C>,
    pub(in crate::backends) connection: C,
    time: u64,
    _permit: Option<SemaphorePermit<'a>>,
}

impl<C: Send> Lent<'_, C> {
    /// The work is done, and the next may use it.
    pub(in crate::backends) fn give_back(self) {
        self.pool.give_back(self.connection, self.time);
    }

    /// It does not work any more, and others of its time probably do not either.
    pub(in crate::backends) fn is_broken(self) {
        self.pool.clear();
    }
}

struct Idle<C> {
    process: u32,
    /// How often all of them were dropped.
    time: u64,
    connections: Vec<(C, Instant)>,
}

impl<C: Send> Pool<C> {
    /// At most `size` connections; none is made yet.
    pub(in crate::backends) fn new(size: usize) -> Self {
        let idle = Idle { process: std::process::id(), time: 0, connections: Vec::new() };
        Self { permits: Semaphore::new(size), idle: Mutex::new(idle) }
    }

    /// A connection, made by `connect` if none is idle.
    ///
    /// # Errors
    /// What `connect` says.
    pub(in crate::backends) async fn get<E, F>(&self, connect: impl FnOnce() -> F) -> Result<Lent<'_, C>, E>
    where
        F: Future<Output = Result<C, E>>,
    {
        // It is never closed.
        let permit = self.permits.acquire().await.ok();
        let (idle, time) = self.take();
        let connection = match idle {
            Some(connection) => connection,
            None => connect().await?,
        };
        Ok(Lent { pool: self, connection, time, _permit: permit })
    }

    /// Whether there is an idle one for whoever comes now; somebody else may come first.
    pub(in crate::backends) fn is_ready(&self) -> bool {
        let idle = sync::lock(&self.idle);
        let newest = idle.connections.last().filter(|_| idle.process == std::process::id());
        newest.is_some_and(|(_, since)| since.elapsed() < IDLE) && self.permits.available_permits() > 0
    }

    fn take(&self) -> (Option<C>, u64) {
        let mut idle = sync::lock(&self.idle);
        if idle.process != std::process::id() {
            // A forked child: they are its parent's, and closing them is not for the child to do.
            mem::forget(mem::take(&mut idle.connections));
            idle.process = std::process::id();
        }
        let newest = idle.connections.pop();
        let (fresh, time) = (newest.filter(|(_, since)| since.elapsed() < IDLE), idle.time);
        if fresh.is_none() {
            // The others are older.
            idle.connections.clear();
        }
        (fresh.map(|(connection, _)| connection), time)
    }

    fn give_back(&self, connection: C, time: u64) {
        let mut idle = sync::lock(&self.idle);
        if idle.time == time {
            idle.connections.push((connection, Instant::now()));
        }
    }

    /// The idle ones are closed, and those in use when they are given back.
    fn clear(&self) {
        let mut idle = sync::lock(&self.idle);
        idle.time += 1;
        let closed = mem::take(&mut idle.connections);
        drop(idle);
        drop(closed);
    }
}
