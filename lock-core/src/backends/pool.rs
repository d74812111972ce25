//! A few connections, each for one call at a time.
//!
//! Not a client's own pool: a connection whose answer was not waited for to the end is never used again here, a broken one
//! takes all the idle ones of its time with it (a restarted server would fail one caller per connection), and a forked
//! child leaves its parent's alone. A network that swallows everything must not keep all connections busy until the last of
//! those who wait for an answer gives up: when one does, those who have waited for long as well are told to.

use std::{
    fmt,
    future::Future,
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{
    race::{Either, race},
    sync::{self, Mutex},
};

/// A connection that nobody used for so long is closed instead: something in between may have forgotten it.
const IDLE: Duration = Duration::from_mins(5);

/// After how long without an answer it is not worth waiting on when others have waited in vain.
const LONG: Duration = Duration::from_millis(500);

/// Connections for whoever comes.
pub(in crate::backends) struct Pool<C> {
    size: usize,
    idle: Mutex<Idle<C>>,
    /// Fires when somebody has waited for an answer in vain.
    in_vain: Notify,
}

/// A connection in use. Dropped, it is closed: who was dropped with it may not have read all that it was told. Others of
/// its time probably do not answer either, and are closed as well.
pub struct Lent<C: Send> {
    pub(in crate::backends) connection: C,
    loan: Loan<C>,
    _permit: Option<OwnedSemaphorePermit>,
}

struct Loan<C: Send> {
    pool: Arc<Pool<C>>,
    time: u64,
    is_over: bool,
}

impl<C: Send> Lent<C> {
    /// The work is done, and the next may use it.
    pub(in crate::backends) fn give_back(mut self) {
        self.loan.is_over = true;
        self.loan.pool.give_back(self.connection, self.loan.time);
    }

    /// What was done on it ends the loan: given back, or closed after an error that says so.
    pub(in crate::backends) fn ends_with<T, E>(
        self,
        done: Result<T, E>,
        is_broken: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        match &done {
            Err(error) if is_broken(error) => self.close(),
            _ => self.give_back(),
        }
        done
    }

    /// It is closed; the others are as good as they were.
    #[cfg(feature = "memcached")]
    pub(in crate::backends) fn discard(mut self) {
        self.loan.is_over = true;
    }

    /// It does not work any more, and others of its time probably do not either.
    pub(in crate::backends) fn close(mut self) {
        self.loan.is_over = true;
        self.loan.pool.clear();
    }
}

impl<C: Send> fmt::Debug for Lent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<C: Send> Drop for Loan<C> {
    fn drop(&mut self) {
        if !self.is_over {
            self.pool.clear();
            self.pool.in_vain.notify_waiters();
        }
    }
}

struct Idle<C> {
    process: u32,
    /// First come, first served.
    permits: Arc<Semaphore>,
    /// How often all of them were dropped.
    time: u64,
    connections: Vec<(C, Instant)>,
}

impl<C: Send> Pool<C> {
    /// At most `size` connections; none is made yet.
    pub(in crate::backends) fn new(size: usize) -> Arc<Self> {
        let idle = Mutex::new(Idle {
            process: std::process::id(),
            permits: Arc::new(Semaphore::new(size)),
            time: 0,
            connections: Vec::new(),
        });
        Arc::new(Self { size, idle, in_vain: Notify::new() })
    }

    /// A connection, made by `connect` if none is idle.
    ///
    /// # Errors
    /// What `connect` says.
    pub(in crate::backends) async fn get<E, F>(
        self: &Arc<Self>,
        connect: impl FnOnce() -> F,
    ) -> Result<Lent<C>, E>
    where
        F: Future<Output = Result<C, E>>,
    {
        let permits = self.permits();
        // It is never closed.
        let permit = permits.acquire_owned().await.ok();
        let (idle, time) = self.take();
        let connection = match idle {
            Some(connection) => connection,
            None => connect().await?,
        };
        Ok(Lent { connection, loan: Loan { pool: Arc::clone(self), time, is_over: false }, _permit: permit })
    }

    /// What is waited for, on the background thread. An error if it takes longer than `limit`, or if others have waited in
    /// vain meanwhile.
    pub(in crate::backends) async fn in_time<T, E: From<io::Error>>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match race(tokio::time::timeout(limit, answer), self.in_vain()).await {
            Either::First(Ok(answered)) => answered,
            Either::First(Err(_)) | Either::Second(()) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer").into())
            }
        }
    }

    /// Ends when it is not worth to wait any longer for what one waits for since now.
    async fn in_vain(&self) {
        let begin = Instant::now();
        loop {
            self.in_vain.notified().await;
            if begin.elapsed() >= LONG {
                return;
            }
        }
    }

    fn permits(&self) -> Arc<Semaphore> {
        let mut idle = sync::lock(&self.idle);
        if idle.process != std::process::id() {
            // A forked child: all of them are its parent's, and closing them is not for the child to do. Those in use at
            // that moment are never given back here.
            mem::forget(mem::take(&mut idle.connections));
            idle.permits = Arc::new(Semaphore::new(self.size));
            idle.time += 1;
            idle.process = std::process::id();
        }
        Arc::clone(&idle.permits)
    }

    /// An idle connection, if so many more stay for others; nobody is waited for. Who has it may be polled by anybody, or
    /// by nobody any more: the rest must be able to go on without it.
    pub(in crate::backends) fn spare(self: &Arc<Self>, others: usize) -> Option<Lent<C>> {
        let permits = self.permits();
        if permits.available_permits() <= others {
            return None;
        }
        self.try_get(&permits, || None)
    }

    /// An idle connection, or one made by `connect`, if there may be another; nobody is waited for.
    pub(in crate::backends) fn get_now(
        self: &Arc<Self>,
        connect: impl FnOnce() -> Option<C>,
    ) -> Option<Lent<C>> {
        self.try_get(&self.permits(), connect)
    }

    fn try_get(
        self: &Arc<Self>,
        permits: &Arc<Semaphore>,
        connect: impl FnOnce() -> Option<C>,
    ) -> Option<Lent<C>> {
        let permit = Arc::clone(permits).try_acquire_owned().ok()?;
        let (idle, time) = self.take();
        let connection = idle.or_else(connect)?;
        let loan = Loan { pool: Arc::clone(self), time, is_over: false };
        Some(Lent { connection, loan, _permit: Some(permit) })
    }

    /// Whether not as many as there may be are in use.
    pub(in crate::backends) fn has_room(&self) -> bool {
        self.permits().available_permits() > 0
    }

    fn take(&self) -> (Option<C>, u64) {
        let mut idle = sync::lock(&self.idle);
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
    pub(in crate::backends) fn clear(&self) {
        let mut idle = sync::lock(&self.idle);
        idle.time += 1;
        let closed = mem::take(&mut idle.connections);
        drop(idle);
        drop(closed);
    }
}

impl<C> Drop for Pool<C> {
    fn drop(&mut self) {
        let idle = self.idle.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if idle.process != std::process::id() {
            // A forked child again: they would be taken out of what its parent waits for.
            mem::forget(mem::take(&mut idle.connections));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::ready,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::park;

    fn pool() -> (Arc<Pool<u32>>, AtomicU32) {
        (Pool::new(2), AtomicU32::new(0))
    }

    async fn get(pool: &Arc<Pool<u32>>, made: &AtomicU32) -> Lent<u32> {
        let connect = || ready(Ok::<_, Infallible>(made.fetch_add(1, Ordering::SeqCst)));
        pool.get(connect).await.unwrap_or_else(|never| match never {})
    }

    #[test]
    fn what_is_given_back_is_lent_again() {
        park::block_on(async {
            let (pool, made) = pool();
            for _ in 0..3 {
                let lent = get(&pool, &made).await;
                assert_eq!(lent.connection, 0);
                lent.give_back();
            }
        });
    }

    #[test]
    fn what_is_broken_or_dropped_takes_all_of_its_time_with_it() {
        park::block_on(async {
            for broken in [true, false] {
                let (pool, made) = pool();
                let (first, second) = (get(&pool, &made).await, get(&pool, &made).await);
                if broken {
                    first.close();
                } else {
                    drop(first);
                }
                second.give_back();
                assert_eq!(get(&pool, &made).await.connection, 2);
            }
        });
    }

    #[test]
    fn no_more_are_lent_than_there_may_be() {
        park::block_on(async {
            let (pool, made) = pool();
            let (_first, second) = (get(&pool, &made).await, get(&pool, &made).await);
            let third = async { get(&pool, &made).await.connection };
            let given_back = async {
                second.give_back();
                std::future::pending::<()>().await;
            };
            assert!(matches!(race(third, given_back).await, Either::First(1)));
        });
    }

    #[test]
    fn who_has_waited_for_long_is_told_that_others_waited_in_vain() {
        park::block_on(async {
            let (pool, made) = pool();
            let begin = Instant::now();
            let told = async {
                pool.in_vain().await;
                begin.elapsed()
            };
            let others = async {
                loop {
                    drop(get(&pool, &made).await);
                    // The clock of the pool is the real one.
                    std::thread::sleep(LONG / 4);
                    tokio::task::yield_now().await;
                }
            };
            let (Either::First(told) | Either::Second(told)) = race(told, others).await;
            assert!(told >= LONG && told < LONG * 3 / 2, "{told:?}");
        });
    }
}
