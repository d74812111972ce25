//! `rslock`: one multiplexed connection, polls at random within 200 ms, neither renewal nor fencing.

use std::sync::Arc;

use rslock::LockManager;

use crate::contender::{Answer, Contender, Section, TTL};

struct Rslock(LockManager);

/// It connects at first use.
pub(crate) fn connect(url: String) -> Arc<dyn Contender> {
    Arc::new(Rslock(LockManager::new(vec![url])))
}

impl Contender for Rslock {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let guard = self.0.acquire(key, TTL).await?;
            section.await;
            guard.release().await;
            Ok(())
        })
    }
}
