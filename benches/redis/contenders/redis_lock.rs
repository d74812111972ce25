//! `redis-lock`: a connection behind a mutex, polls every 100 ms, neither renewal nor fencing. Its lock for callers that
//! block is one on several resources at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use benches::Result;
use redis_lock::{DEFAULT_RETRY_DELAY, LockAcrossOptions, lock_across, sync};
use redis_of_redis_lock::{Client, aio::MultiplexedConnection};

use crate::contender::{Answer, Blocking, Contender, Section, TTL};

/// Long enough for any turn to come.
const PATIENCE: Duration = Duration::from_mins(10);

struct RedisLock([Arc<tokio::sync::Mutex<MultiplexedConnection>>; 1]);

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    let connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    Ok(Arc::new(RedisLock([Arc::new(tokio::sync::Mutex::new(connection))])))
}

impl Contender for RedisLock {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            // Its own default is to forget a lock after 10 ms.
            let options = LockAcrossOptions { ttl: TTL, retry: DEFAULT_RETRY_DELAY, duration: PATIENCE };
            Ok(lock_across(&self.0, key, section, options).await.map_err(|error| error.to_string())?)
        })
    }
}

/// Its release looks through all keys of the database: the more there are, the longer it takes.
struct Several(Mutex<sync::MultiResourceLock>);

pub(crate) fn blocking(url: &str) -> Result<Arc<dyn Blocking>> {
    let client = Client::open(url)?;
    sync::setup(&client).map_err(|error| error.to_string())?;
    Ok(Arc::new(Several(Mutex::new(sync::MultiResourceLock::new(&client)?))))
}

impl Blocking for Several {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let mut lock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = lock.acquire(&[key.to_owned()], TTL, PATIENCE, DEFAULT_RETRY_DELAY)?;
        section();
        lock.release(&held.ok_or("never had the lock")?)?;
        Ok(())
    }
}
