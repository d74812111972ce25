//! The floor of being woken: a token in a list, taken by `BLPOP` and put back by `LPUSH`. First come, first served, and
//! not a lock to be used: who dies with the token stops everybody for ever.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use benches::Result;
use redis::{AsyncConnectionConfig, Client, Script, aio::MultiplexedConnection};

use crate::contender::{Answer, Contender, Section};

/// Puts the one token where there never was one.
const FOUND: &str = "if redis.call('SET', KEYS[2], 1, 'NX') then redis.call('LPUSH', KEYS[1], 1) end";

struct Blpop {
    client: Client,
    /// A blocking command has its connection to itself.
    idle: Mutex<Vec<MultiplexedConnection>>,
    found: Mutex<HashSet<String>>,
}

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    let blpop = Blpop { client: Client::open(url)?, idle: Mutex::default(), found: Mutex::default() };
    let first = blpop.connection().await?;
    blpop.keep(first);
    Ok(Arc::new(blpop))
}

impl Blpop {
    async fn connection(&self) -> Result<MultiplexedConnection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let patient = AsyncConnectionConfig::new().set_response_timeout(None);
        Ok(self.client.get_multiplexed_async_connection_with_config(&patient).await?)
    }

    fn keep(&self, connection: MultiplexedConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn is_new(&self, key: &str) -> bool {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned())
    }
}

impl Contender for Blpop {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            if self.is_new(key) {
                let founded = format!("{key}:founded");
                Script::new(FOUND).key(key).key(founded).invoke_async::<()>(&mut connection).await?;
            }
            redis::cmd("BLPOP").arg(key).arg(0).exec_async(&mut connection).await?;
            section.await;
            redis::cmd("LPUSH").arg(key).arg(1).exec_async(&mut connection).await?;
            self.keep(connection);
            Ok(())
        })
    }
}
