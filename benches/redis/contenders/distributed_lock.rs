//! `distributed-lock`: renews, no fencing. With one server it cannot wait: its `acquire` fails when the lock is held,
//! whatever time it is given, so it takes part only where nobody waits.

use std::sync::Arc;

use benches::Result;
use distributed_lock_core::prelude::{DistributedLock, LockHandle, LockProvider};
use distributed_lock_redis::RedisLockProvider;

use crate::contender::{Answer, Contender, Section};

struct Distributed(RedisLockProvider);

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    Ok(Arc::new(Distributed(RedisLockProvider::new(url).await?)))
}

impl Contender for Distributed {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let handle = self.0.create_lock(key).acquire(None).await?;
            section.await;
            Ok(handle.release().await?)
        })
    }
}
