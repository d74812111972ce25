//! Connections for blocking callers, each driven in its caller's thread by a small runtime of its own: a call on one costs
//! no hop through the background thread, which is most of its time where the server is on the same machine.
//!
//! What may interleave, and why it is harmless:
//! - A caller may be inside some runtime, where no other can be driven, and whether he is in its way cannot be asked; or in the
//!   end of his thread, where nobody can ask. He is served as if there were none of these.
//! - The server may be gone, or become another: what is known of that on the background thread counts here as well, and the
//!   other way round ([`lost`](InThreads::lost)). None is made before the background thread has reached it again.
//! - It may refuse more connections, or take too long: then nobody tries for a while.
//! - A call that takes too long is dropped with its connection, whose answer would be taken for that of the next call, and
//!   all that are idle with it, wherever that happens: the end of a runtime waits for nothing.
//! - A forked child has the connections of its parent: its [pool](super::pool) leaves them alone, and the runtimes with them.

use std::{
    fmt::Display,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Handle, Runtime};

use super::pool::{Lent, Pool};
use crate::{
    backend::Fault,
    locker::limited,
    sync::{self, Mutex},
};

/// How many there are at most. More callers at once are better served by the background thread.
const MOST: usize = 2;

/// How long making one may take, and how much time a caller must have for it.
const CONNECTING: Duration = Duration::from_millis(400);
const WORTH_IT: Duration = Duration::from_millis(800);

/// For how long nobody tries after one could not be made.
const PAUSE: Duration = Duration::from_secs(10);

/// A few connections for whoever blocks.
pub(in crate::backends) struct InThreads<C: Send> {
    pool: Arc<Pool<Driven<C>>>,
    /// From when on one may be made; `None`: not before the server was reached.
    from: Mutex<Option<Instant>>,
}

/// A connection, and what drives it; dropped in this order.
#[derive(Debug)]
pub struct Driven<C> {
    connection: C,
    driver: Arc<Driver>,
}

/// Drives one connection, in whatever thread.
#[derive(Debug)]
pub struct Driver(Option<Runtime>);

impl<C: Send> InThreads<C> {
    /// None is made before a connection was made elsewhere.
    pub(in crate::backends) fn new() -> Self {
        Self { pool: Pool::new(MOST), from: Mutex::new(None) }
    }

    /// A connection was made: the server is there.
    pub(in crate::backends) fn reached(&self) {
        *sync::lock(&self.from) = Some(Instant::now());
    }

    /// A connection broke, or could not be made: the server may be another when it is reached again.
    pub(in crate::backends) fn lost(&self) {
        *sync::lock(&self.from) = None;
        self.pool.clear();
    }

    /// One that is idle, or made by `connect`, for a caller who has so much time, and what it is to be driven by. `None`: none
    /// is free, or to be had here.
    pub(in crate::backends) fn lend<E: Display, F>(
        &self,
        limit: Duration,
        connect: impl FnOnce() -> F,
    ) -> Option<(Here<C>, Arc<Driver>)>
    where
        F: Future<Output = Result<C, E>>,
    {
        if !Handle::try_current().is_err_and(|error| error.is_missing_context()) {
            return None;
        }
        let lent = self.pool.get_now(|| if limit < WORTH_IT { None } else { self.make(connect) })?;
        let driver = Arc::clone(&lent.connection.driver);
        Some((Here::Driven(lent), driver))
    }

    fn make<E: Display, F>(&self, connect: impl FnOnce() -> F) -> Option<Driven<C>>
    where
        F: Future<Output = Result<C, E>>,
    {
        if sync::lock(&self.from).is_none_or(|from| Instant::now() < from) {
            return None;
        }
        let made = Driver::new().map_err(Fault::from).and_then(|driver| {
            let connecting = async { connect().await.map_err(|error| Fault::failed(error.to_string())) };
            let connection = driver.block_on(CONNECTING, connecting)?;
            Ok(Driven { connection, driver: Arc::new(driver) })
        });
        made.inspect_err(|error| {
            *sync::lock(&self.from) = Instant::now().checked_add(PAUSE);
            tracing::debug!(%error, "no connection of its own for a blocking call");
        })
        .ok()
    }
}

impl Driver {
    fn new() -> io::Result<Self> {
        Ok(Self(Some(Builder::new_current_thread().enable_all().build()?)))
    }

    /// Runs a job on the connection, in this thread, which is in no runtime.
    pub(in crate::backends) fn block_on<T>(
        &self,
        limit: Duration,
        job: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let Some(runtime) = &self.0 else { return Err(Fault::elsewhere()) };
        runtime.block_on(limited(limit, job))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // It may be dropped inside another one, where nothing may be waited for.
            runtime.shutdown_background();
        }
    }
}

/// A connection outside of the background thread.
#[derive(Debug)]
pub enum Here<C: Send> {
    /// Of another runtime, which drives it, for whoever polls.
    Polled(Lent<C>),
    /// Driven by its own.
    Driven(Lent<Driven<C>>),
}

impl<C: Send> Here<C> {
    pub(in crate::backends) const fn connection(&mut self) -> &mut C {
        match self {
            Self::Polled(lent) => &mut lent.connection,
            Self::Driven(lent) => &mut lent.connection.connection,
        }
    }

    /// What was done on it ends the loan: given back, or closed after an error that says so.
    pub(in crate::backends) fn ends_with<T, E>(
        self,
        done: Result<T, E>,
        is_broken: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        match self {
            Self::Polled(lent) => lent.ends_with(done, is_broken),
            Self::Driven(lent) => lent.ends_with(done, is_broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        convert::Infallible,
        future::ready,
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use super::*;

    /// Connections are numbers here.
    fn lend(from: &InThreads<u32>, made: &AtomicU32) -> Option<(Here<u32>, Arc<Driver>)> {
        let connect = || ready(Ok::<_, Infallible>(made.fetch_add(1, Ordering::SeqCst)));
        from.lend(Duration::from_secs(1), connect)
    }

    fn number(lent: Option<(Here<u32>, Arc<Driver>)>) -> u32 {
        let (mut here, driver) = lent.unwrap();
        let number = driver.block_on(Duration::from_secs(1), async { Ok(*here.connection()) }).unwrap();
        here.ends_with(Ok::<_, Infallible>(()), |_| false).unwrap();
        number
    }

    #[test]
    fn one_is_made_once_the_server_was_reached_and_used_again() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        assert!(lend(&from, &made).is_none(), "nobody knows whether the server is there");
        from.reached();
        assert_eq!([number(lend(&from, &made)), number(lend(&from, &made))], [0, 0]);
        let two = [lend(&from, &made), lend(&from, &made)];
        assert!(two.iter().all(Option::is_some));
        assert!(lend(&from, &made).is_none(), "both are in use");
        assert_eq!(made.into_inner(), 2);
    }

    #[test]
    fn who_cannot_make_one_leaves_it_to_the_others_until_they_have() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        from.reached();
        assert!(from.lend(Duration::from_secs(1), || ready(Err::<u32, _>("refused"))).is_none());
        assert!(lend(&from, &made).is_none(), "not for a while");
        from.reached();
        let never = || std::future::pending::<Result<u32, Infallible>>();
        assert!(from.lend(Duration::from_secs(1), never).is_none());
        from.reached();
        let short = || ready(Ok::<_, Infallible>(7));
        assert!(from.lend(Duration::from_millis(20), short).is_none(), "who has no time makes none");
        assert_eq!(number(lend(&from, &made)), 0);
        assert_eq!(number(from.lend(Duration::from_millis(20), short)), 0, "but uses one that is there");
    }

    #[test]
    fn what_is_lost_is_not_used_again_and_none_is_made_before_the_server_was_reached() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        from.reached();
        assert_eq!(number(lend(&from, &made)), 0);
        let in_use = lend(&from, &made);
        from.lost();
        assert!(lend(&from, &made).is_none());
        assert_eq!(number(in_use), 0);
        from.reached();
        assert_eq!(number(lend(&from, &made)), 1);
    }

    /// Asks when its thread ends.
    struct AtTheEnd(Arc<InThreads<u32>>, Arc<AtomicU32>);

    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let connect = || ready(Ok::<_, Infallible>(1));
            self.1.store(
                1 + u32::from(self.0.lend(Duration::from_secs(1), connect).is_some()),
                Ordering::SeqCst,
            );
        }
    }

    #[test]
    fn nobody_is_lent_one_at_the_end_of_his_thread() {
        thread_local!(static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
        let (from, asked) = (Arc::new(InThreads::new()), Arc::new(AtomicU32::new(0)));
        from.reached();
        let at_the_end = AtTheEnd(Arc::clone(&from), Arc::clone(&asked));
        let thread = thread::spawn(move || {
            // Before the thread has anything of tokio's, which is therefore gone before.
            LAST.with(|last| *last.borrow_mut() = Some(at_the_end));
            number(lend(&from, &AtomicU32::new(0)));
        });
        thread.join().unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn nobody_inside_a_runtime_is_lent_one_though_he_may_drop_one() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        from.reached();
        let lent = lend(&from, &made);
        number(lend(&from, &made));
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert!(lend(&from, &made).is_none());
            drop(lent);
            drop(from);
        });
    }

    #[test]
    fn a_call_that_takes_too_long_takes_its_connection_with_it() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        from.reached();
        let (here, driver) = lend(&from, &made).unwrap();
        let stuck = async {
            let _here = here;
            std::future::pending::<Result<(), Fault>>().await
        };
        assert!(driver.block_on(Duration::from_millis(20), stuck).unwrap_err().may_have_executed());
        assert_eq!(number(lend(&from, &made)), 1);
    }

    #[test]
    fn whichever_thread_has_it_drives_it() {
        let (from, made) = (InThreads::new(), AtomicU32::new(0));
        from.reached();
        thread::scope(|scope| {
            for _ in 0..3 {
                let slept = scope.spawn(|| {
                    let (here, driver) = lend(&from, &made).unwrap();
                    let sleep = async {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Ok(here.ends_with(Ok::<_, Infallible>(()), |_| false).is_ok())
                    };
                    driver.block_on(Duration::from_secs(1), sleep).unwrap()
                });
                assert!(slept.join().unwrap());
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
