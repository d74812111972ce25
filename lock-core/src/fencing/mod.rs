//! Writes that a stale holder cannot make.
//!
//! A lease can end under a running holder: its machine slept, its network was gone, it was stopped in a debugger. Its
//! successor works already, and the late write comes all the same. So give the [fencing
//! token](crate::Guard::fencing_token) along with the write, and let what is written to refuse a token lower than one
//! it has seen.
//!
//! | written to | the fence |
//! |---|---|
//! | a table of a database | a column, compared in the statement that writes: [below](#sql) |
#![cfg_attr(feature = "redis", doc = "| Redis, Valkey | a key beside it, compared by a script: [`redis`] |")]
#![cfg_attr(not(feature = "redis"), doc = "| Redis, Valkey | a key beside it, compared by a script: feature `redis` |")]
//! | a store of one's own | [`Fenced`], or [`Fence`] under a lock that is there already |
//!
//! A refused write is [`Stale`], which `?` makes a [`lock::Error`](crate::Error) that
//! [is a loss](crate::Error::is_lost): take the lock again and start over.
//!
//! Two rules hold everywhere:
//! - The check and the write are one step. Between two, the successor writes.
//! - What a write depends on is read under the token, too. The fence knows a successor from its first *access*; a holder
//!   that reads without a token can be overtaken by its predecessor's late write until its own.
//!
//! # SQL
//!
//! A column `fence BIGINT NOT NULL DEFAULT 0` beside what is written. Tokens are below 2^53: [`u64::cast_signed`] makes
//! one an `i64` without a loss.
//!
//! ```sql
//! -- Writes. No row: the token is stale (or there is no such account).
//! UPDATE accounts SET balance = $1, fence = $2 WHERE id = $3 AND fence <= $2
//! -- Reads what the write will depend on. No row: the same.
//! UPDATE accounts SET fence = $1 WHERE id = $2 AND fence <= $1 RETURNING balance
//! -- Writes a row that may not be there yet (PostgreSQL, SQLite).
//! INSERT INTO accounts (id, balance, fence) VALUES ($3, $1, $2)
//!     ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, fence = excluded.fence
//!     WHERE accounts.fence <= excluded.fence
//! ```
//!
//! ```ignore
//! let token = guard.fencing_token();
//! let written = sqlx::query("UPDATE accounts SET balance = $1, fence = $2 WHERE id = $3 AND fence <= $2")
//!     .bind(balance).bind(token.cast_signed()).bind(id)
//!     .execute(&pool).await?;
//! if written.rows_affected() == 0 {
//!     return Err(Stale::new(token).into());
//! }
//! ```
//!
//! MySQL and MariaDB write `?` for each value, the token twice, and read by `SELECT … FOR UPDATE` in the transaction of
//! the `UPDATE`. They count the rows that *changed*, unless the client asks for those that were found, as sqlx does: else
//! the same write again under one token looks refused.

mod fence;
#[cfg(feature = "redis")]
pub mod redis;

pub use fence::{Fence, Fenced, Stale};
