//! Somebody else's session on a MySQL or MariaDB, which speaks when it is told to.

use std::fmt;

use sqlx::{
    AssertSqlSafe, Connection, Executor, MySqlConnection, Row, ValueRef,
    mysql::{MySqlConnectOptions, MySqlRow},
};
use tokio::runtime::{Builder, Runtime};

/// A connection of a test's own.
pub struct MySqlSession {
    connection: MySqlConnection,
    runtime: Runtime,
}

impl MySqlSession {
    /// Connects.
    ///
    /// # Errors
    /// What the server says.
    pub fn open(url: &str) -> sqlx::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options: MySqlConnectOptions = url.parse()?;
        let connection = runtime.block_on(MySqlConnection::connect_with(&options))?;
        Ok(Self { connection, runtime })
    }

    /// Runs statements as they stand, and returns the first column of what they returned, as text.
    ///
    /// # Errors
    /// What the server says.
    pub fn ask(&mut self, sql: &str) -> sqlx::Result<Vec<String>> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.connection);
        let rows = self.runtime.block_on(rows)?;
        let text = |row: &MySqlRow| {
            let value = row.try_get_raw(0)?;
            if value.is_null() { Ok(String::new()) } else { row.try_get_unchecked(0) }
        };
        rows.iter().map(text).collect()
    }

    /// Runs a statement that is prepared once, as the library does.
    ///
    /// # Errors
    /// What the server says.
    pub fn prepared(&mut self, sql: &'static str, values: &[&str]) -> sqlx::Result<u64> {
        let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
        let done = self.runtime.block_on(self.connection.execute(query))?;
        Ok(done.rows_affected())
    }
}

impl fmt::Debug for MySqlSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlSession").finish_non_exhaustive()
    }
}
