//! `rlock`: renews, polls every 100 ms, no fencing; a pool of connections for callers that block.

use std::sync::Arc;

use benches::Result;
use rlock::{AcquireOptions, async_lock, sync_lock};

use crate::contender::{Answer, Blocking, Contender, Section, TTL};

struct Rlock<T> {
    manager: T,
    options: AcquireOptions,
}

impl<T> Rlock<T> {
    fn new(manager: T) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { manager, options: AcquireOptions::builder().ttl(TTL).build()? }))
    }
}

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    Ok(Rlock::new(async_lock::RLock::new(url).await?)?)
}

pub(crate) fn blocking(url: &str) -> Result<Arc<dyn Blocking>> {
    Ok(Rlock::new(sync_lock::RLock::new(url)?)?)
}

impl Contender for Rlock<async_lock::RLock> {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let mut guard = self.manager.acquire_mutex_with_options(key, self.options.clone()).await?;
            section.await;
            Ok(guard.release().await?)
        })
    }

    fn dropped<'a>(&'a self, key: &'a str) -> Option<Answer<'a>> {
        Some(Box::pin(async move {
            drop(self.manager.acquire_mutex_with_options(key, self.options.clone()).await?);
            Ok(())
        }))
    }
}

impl Blocking for Rlock<sync_lock::RLock> {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let mut guard = self.manager.acquire_mutex_with_options(key, self.options.clone())?;
        section();
        Ok(guard.release()?)
    }
}
