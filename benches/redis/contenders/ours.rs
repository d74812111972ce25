//! `lock`, with what it does by default: renewal, a fencing token, 30 s to live.

use std::sync::Arc;

use benches::Result;
use lock::Locker;

use crate::contender::{Answer, Blocking, Contender, Section};

struct Ours(Locker);

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    opened(&prefixed(&url)).await
}

/// With a connection on the caller's runtime.
pub(crate) async fn on_runtime(url: String) -> Result<Arc<dyn Contender>> {
    opened(&(prefixed(&url) + "&on_runtime=yes")).await
}

async fn opened(url: &str) -> Result<Arc<dyn Contender>> {
    let locker = Locker::open(url)?;
    locker.ping_async().await?;
    Ok(Arc::new(Ours(locker)))
}

pub(crate) fn blocking(url: &str) -> Result<Arc<dyn Blocking>> {
    let locker = Locker::open(&prefixed(url))?;
    locker.ping()?;
    Ok(Arc::new(Ours(locker)))
}

/// Not `lock:`, the default: `redis-lock` looks into every key that begins so, and fails over what is not its own.
pub(crate) fn prefixed(url: &str) -> String {
    format!("{url}?prefix=ours:")
}

impl Contender for Ours {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let guard = self.0.lock(key).acquire_async().await?;
            section.await;
            Ok(guard.release_async().await?)
        })
    }

    fn dropped<'a>(&'a self, key: &'a str) -> Option<Answer<'a>> {
        Some(Box::pin(async move {
            drop(self.0.lock(key).acquire_async().await?);
            Ok(())
        }))
    }
}

impl Blocking for Ours {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let guard = self.0.lock(key).acquire()?;
        section();
        Ok(guard.release()?)
    }
}
