//! The connections of a client of a server: those of the background thread, of blocking callers, and, with `on_runtime=yes`,
//! on the runtimes of async callers.
//!
//! One that breaks takes all of them with it: the next may be to another server.

use std::{fmt::Display, io, sync::Arc, time::Duration};

use crate::backends::{
    in_thread::{Driver, Here, InThreads},
    on_runtime::Pools,
    pool::Pool,
};

pub(in crate::backends) struct Connections<C: Send + 'static> {
    shared: Arc<Pool<C>>,
    in_threads: InThreads<C>,
    on_runtimes: Option<Pools<C>>,
}

impl<C: Send + 'static> Connections<C> {
    /// So many at most of the background thread.
    pub(in crate::backends) fn new(most: usize, on_runtime: bool) -> Self {
        let on_runtimes = on_runtime.then(Pools::new);
        Self { shared: Pool::new(most), in_threads: InThreads::new(), on_runtimes }
    }

    /// Those of the background thread.
    pub(in crate::backends) const fn shared(&self) -> &Arc<Pool<C>> {
        &self.shared
    }

    /// A connection was made: the server is there.
    pub(in crate::backends) fn reached(&self) {
        self.in_threads.reached();
    }

    /// One of the background thread, made by `connect` if none is idle.
    ///
    /// # Errors
    /// What `connect` says.
    pub(in crate::backends) async fn get<E, F>(&self, connect: impl FnOnce() -> F) -> Result<Here<C>, E>
    where
        F: Future<Output = Result<C, E>>,
    {
        self.shared.get(connect).await.map(Here::Polled).inspect_err(|_| self.lost())
    }

    /// One for a caller who blocks, for so long at most, and what it is to be driven by.
    pub(in crate::backends) fn lend_blocking<E: Display, F>(
        &self,
        limit: Duration,
        connect: impl FnOnce() -> F,
    ) -> Option<(Here<C>, Option<Arc<Driver>>)>
    where
        F: Future<Output = Result<C, E>>,
    {
        self.in_threads.lend(limit, connect).map(|(here, driver)| (here, Some(driver)))
    }

    /// One of an async caller's runtime, if there are to be any, made by `connect` for as long as somebody needs it.
    pub(in crate::backends) fn lend_async<W, E, F>(
        &self,
        of: &Arc<W>,
        connect: impl Fn(Arc<W>) -> F + Send + Sync + 'static,
    ) -> Option<Here<C>>
    where
        W: Send + Sync + 'static,
        E: Display + From<io::Error> + 'static,
        F: Future<Output = Result<C, E>> + Send + 'static,
    {
        let of = Arc::downgrade(of);
        let connect = move || {
            let connecting = of.upgrade().map(&connect);
            async move {
                match connecting {
                    Some(connecting) => connecting.await,
                    None => Err(io::Error::other("nobody needs it any more").into()),
                }
            }
        };
        self.on_runtimes.as_ref()?.lend(connect).map(Here::Polled)
    }

    /// What was done on one ends its loan: given back, or, after an error that says so, closed with all others.
    pub(in crate::backends) fn end<T, E>(
        &self,
        here: Here<C>,
        done: Result<T, E>,
        is_broken: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        here.ends_with(done, &is_broken).inspect_err(|error| {
            if is_broken(error) {
                self.lost();
            }
        })
    }

    fn lost(&self) {
        self.shared.clear();
        self.in_threads.lost();
        self.on_runtimes.iter().for_each(Pools::clear);
    }
}
