//! `PgAdvisoryLock` of `sqlx`: a session lock, for which a connection waits on the server.

use std::sync::Arc;

use benches::{
    Result,
    contender::{Answer, Contender, Section},
};
use sqlx::postgres::{PgAdvisoryLock, PgConnection};
use tokio::sync::Mutex;

use super::postgres;

/// One connection, which a lock has to itself for as long as it is held.
struct Session(Mutex<PgConnection>);

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    Ok(Arc::new(Session(Mutex::new(postgres::connection(&url).await?))))
}

impl Contender for Session {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let mut connection = self.0.lock().await;
            let lock = PgAdvisoryLock::new(key);
            let guard = lock.acquire(&mut *connection).await?;
            section.await;
            guard.release_now().await?;
            Ok(())
        })
    }
}
