//! A row per lock, by `sqlx`: two statements, each prepared once and a transaction by itself.

use std::{
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use benches::{Result, contender::TTL};
use sqlx::{
    ConnectOptions, Connection, Executor,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

use super::bare;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS bare_leases (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, expires_at INTEGER NOT NULL
) WITHOUT ROWID";

const TAKE: &str = "INSERT INTO bare_leases AS held (id, owner, expires_at) VALUES (?1, ?2, ?3 + ?4) \
    ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at \
    WHERE held.expires_at <= ?3 RETURNING 1";

const FREE: &str = "UPDATE bare_leases SET expires_at = ?3 WHERE id = ?1 AND owner = ?2";

pub(crate) struct Client(SqliteConnection);

impl bare::Client for Client {
    async fn connect(url: &str) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await?;
        connection.execute(CREATE).await?;
        Ok(Self(connection))
    }

    async fn take(&mut self, key: &str, owner: &str) -> Result<bool> {
        let ttl = i64::try_from(TTL.as_micros())?;
        let query = sqlx::query(TAKE).bind(key.to_owned()).bind(owner.to_owned()).bind(now()?).bind(ttl);
        Ok(!query.fetch_all(&mut self.0).await?.is_empty())
    }

    async fn free(&mut self, key: &str, owner: &str) -> Result<bool> {
        let query = sqlx::query(FREE).bind(key.to_owned()).bind(owner.to_owned()).bind(now()?);
        Ok(query.execute(&mut self.0).await?.rows_affected() == 1)
    }
}

fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}
