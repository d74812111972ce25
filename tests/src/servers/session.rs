//! Somebody else's session on a PostgreSQL, which speaks when it is told to.

use std::fmt;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, ValueRef, postgres::PgConnectOptions};
use tokio::runtime::{Builder, Runtime};

/// A connection of a test's own.
pub struct Session {
    connection: PgConnection,
    runtime: Runtime,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// What the server says.
    pub fn open(url: &str) -> sqlx::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options: PgConnectOptions = url.parse()?;
        // A pooler does not know it.
        let options = options.extra_float_digits(None);
        let connection = runtime.block_on(PgConnection::connect_with(&options))?;
        Ok(Self { connection, runtime })
    }

    /// Runs statements as they stand, and returns the first column of what the last of them returned, as text.
    ///
    /// # Errors
    /// What the server says.
    pub fn ask(&mut self, sql: &str) -> sqlx::Result<Vec<String>> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.connection);
        let rows = self.runtime.block_on(rows)?;
        let text = |row: &sqlx::postgres::PgRow| {
            let value = row.try_get_raw(0)?;
            if value.is_null() {
                Ok(String::new())
            } else {
                Ok(value.as_str().unwrap_or_default().to_owned())
            }
        };
        rows.iter().map(text).collect()
    }

    /// Runs a statement that was prepared, or is now.
    ///
    /// # Errors
    /// What the server says.
    pub fn prepared(&mut self, sql: &str, number: i64) -> sqlx::Result<i64> {
        let query = sqlx::query(AssertSqlSafe(sql.to_owned())).bind(number);
        self.runtime.block_on(self.connection.fetch_one(query))?.try_get(0)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
