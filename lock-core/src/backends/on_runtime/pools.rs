//! A few connections on each runtime, each lent for one call.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{Keeper, OnRuntimes};
use crate::backends::pool::{Lent, Pool};

/// How long making a connection may take, and for how long nobody tries after that has failed.
const CONNECTING: Duration = Duration::from_secs(1);

/// How many connections there are on a runtime at most. More at once are better served by the background thread, where
/// one wake-up is for many.
const MOST: usize = 4;

/// A pool for each runtime.
pub(in crate::backends) struct Pools<C: Send + 'static>(Arc<OnRuntimes<Few<C>>>);

/// That of one.
struct Few<C> {
    pool: Arc<Pool<C>>,
    /// Somebody has found none idle.
    wanted: Arc<Notify>,
}

impl<C> Clone for Few<C> {
    fn clone(&self) -> Self {
        Self { pool: Arc::clone(&self.pool), wanted: Arc::clone(&self.wanted) }
    }
}

impl<C: Send + 'static> Pools<C> {
    pub(in crate::backends) fn new() -> Self {
        Self(OnRuntimes::new())
    }

    /// An idle connection of the caller's runtime. `None`: there is none; if there may be more, another is made, by
    /// `connect`, for the next call.
    pub(in crate::backends) fn lend<E, F>(
        &self,
        connect: impl Fn() -> F + Send + Sync + 'static,
    ) -> Option<Lent<C>>
    where
        E: fmt::Display + 'static,
        F: Future<Output = Result<C, E>> + Send + 'static,
    {
        let few = self.0.get(std::process::id(), |keeper| keep(keeper, connect))?;
        let lent = few.pool.spare(0);
        if lent.is_none() && few.pool.has_room() {
            few.wanted.notify_one();
        }
        lent
    }

    /// Those that are idle are of no use any more, nor are those in use after this call.
    pub(in crate::backends) fn clear(&self) {
        self.0.all().iter().for_each(|few| few.pool.clear());
    }
}

/// Makes the connections of a runtime, one after the other, when they are wanted.
async fn keep<C, E, F>(keeper: Keeper<Few<C>>, connect: impl Fn() -> F + Send)
where
    C: Send + 'static,
    E: fmt::Display,
    F: Future<Output = Result<C, E>> + Send,
{
    let few = Few { pool: Pool::new(MOST), wanted: Arc::default() };
    if !keeper.has(few.clone()) {
        return;
    }
    loop {
        let failed = match tokio::time::timeout(CONNECTING, few.pool.get(&connect)).await {
            Ok(Ok(lent)) => {
                lent.give_back();
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it takes too long".to_owned()),
        };
        if let Some(error) = failed {
            tracing::debug!(error, "no connection on the caller's runtime");
            tokio::time::sleep(CONNECTING).await;
        }
        few.wanted.notified().await;
    }
}
