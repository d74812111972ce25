//! A row per lock, by `sqlx`: two statements, each prepared once and a transaction by itself.

use benches::{Result, contender::TTL};
use sqlx::{
    ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
};

use super::bare;

const CREATE: &str = r#"CREATE TABLE IF NOT EXISTS bare_leases (
    id text COLLATE "C" PRIMARY KEY, owner text NOT NULL, expires_at timestamptz NOT NULL
) WITH (fillfactor = 50)"#;

const TAKE: &str = "INSERT INTO bare_leases AS held (id, owner, expires_at) \
    VALUES ($1, $2, now() + $3 * interval '1 second') \
    ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at \
    WHERE held.expires_at <= now() RETURNING 1";

const FREE: &str = "UPDATE bare_leases SET expires_at = now() WHERE id = $1 AND owner = $2";

pub(crate) struct Client(PgConnection);

/// A connection without a log of its statements.
pub(crate) async fn connection(url: &str) -> Result<PgConnection> {
    let options: PgConnectOptions = url.parse()?;
    Ok(PgConnection::connect_with(&options.disable_statement_logging()).await?)
}

impl bare::Client for Client {
    async fn connect(url: &str) -> Result<Self> {
        let mut connection = connection(url).await?;
        connection.execute(CREATE).await?;
        Ok(Self(connection))
    }

    async fn take(&mut self, key: &str, owner: &str) -> Result<bool> {
        let ttl = i32::try_from(TTL.as_secs())?;
        let taken = sqlx::query(TAKE).bind(key).bind(owner).bind(ttl).fetch_all(&mut self.0).await?;
        Ok(!taken.is_empty())
    }

    async fn free(&mut self, key: &str, owner: &str) -> Result<bool> {
        let freed = sqlx::query(FREE).bind(key).bind(owner).execute(&mut self.0).await?;
        Ok(freed.rows_affected() == 1)
    }
}
