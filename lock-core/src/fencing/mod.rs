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
#![cfg_attr(
    not(feature = "redis"),
    doc = "| Redis, Valkey | a key beside it, compared by a script: feature `redis` |"
)]
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
//! -- Writes. No row: the token is stale, or there is no such account.
//! UPDATE accounts SET balance = $1, fence = $2 WHERE id = $3 AND fence <= $2
//!
//! -- Before reading what a write will depend on; then `SELECT` as ever. No row: the same.
//! UPDATE accounts SET fence = $1 WHERE id = $2 AND fence <= $1
//!
//! -- Writes a row that may not be there yet (PostgreSQL, SQLite). No row: the token is stale.
//! INSERT INTO accounts (id, balance, fence) VALUES ($3, $1, $2)
//!     ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, fence = excluded.fence
//!     WHERE accounts.fence <= excluded.fence
//! ```
//!
//! Where no row was written, `return Err(Stale::new(token).into())`. A row that is deleted takes its fence along: mark it
//! as deleted instead, by the first statement.
//!
//! MySQL and MariaDB write `?` for each value, the token twice. Their `ON DUPLICATE KEY UPDATE` does not tell whether it
//! wrote: for a row that may not be there, `INSERT IGNORE` one with the fence 0, then the first statement. They count the
//! rows that *changed*, unless the client asks for those that were found, as sqlx does: else the same write again under
//! one token looks refused.

mod fence;
#[cfg(feature = "redis")]
pub mod redis;

pub use fence::{Fence, Fenced, Stale};
