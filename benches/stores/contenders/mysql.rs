//! A row per lock, by `sqlx`: two statements, each prepared once and a transaction by itself.

use benches::{Result, contender::TTL};
use sqlx::{
    ConnectOptions, Connection, Executor, Row,
    mysql::{MySqlConnectOptions, MySqlConnection},
};

use super::bare;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS bare_leases (
    id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, expires_at DATETIME(6) NOT NULL
)";

/// Assigned one after the other, the expiry last.
const TAKE: &str = "INSERT INTO bare_leases (id, owner, expires_at) \
    VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND) ON DUPLICATE KEY UPDATE \
    owner = IF(expires_at <= UTC_TIMESTAMP(6), VALUES(owner), owner), \
    expires_at = IF(expires_at <= UTC_TIMESTAMP(6), VALUES(expires_at), expires_at) RETURNING owner";

const FREE: &str = "UPDATE bare_leases SET expires_at = UTC_TIMESTAMP(6) WHERE id = ? AND owner = ?";

pub(crate) struct Client(MySqlConnection);

impl bare::Client for Client {
    async fn connect(url: &str) -> Result<Self> {
        let options: MySqlConnectOptions = url.parse()?;
        let mut connection = MySqlConnection::connect_with(&options.disable_statement_logging()).await?;
        connection.execute(CREATE).await?;
        Ok(Self(connection))
    }

    async fn take(&mut self, key: &str, owner: &str) -> Result<bool> {
        let query = sqlx::query(TAKE).bind(key).bind(owner).bind(TTL.as_secs());
        let taken = query.fetch_all(&mut self.0).await?.pop().ok_or("the server told no owner")?;
        Ok(taken.try_get::<String, _>(0)? == owner)
    }

    async fn free(&mut self, key: &str, owner: &str) -> Result<bool> {
        let freed = sqlx::query(FREE).bind(key).bind(owner).execute(&mut self.0).await?;
        Ok(freed.rows_affected() == 1)
    }
}
