//! A row per key in a table of a database: what PostgreSQL, MySQL and SQLite have in common.
//!
//! A row says whose its key is, until when by the clock of the database, under which fencing token, and who waits, in the
//! order in which they came. It is taken by one statement and released by letting it expire, so that the token stays.
//!
//! What may interleave, and why it is harmless:
//! - Two who acquire: the row is locked by the first statement, the second sees what it wrote.
//! - A release and one who gets in line: the statement that puts in line does so only while the key is not to be had;
//!   otherwise it changes nothing, and the key is asked for again. So nobody gets in line behind a release that has
//!   told those in line already.
//! - The first in line may be dead: a free key is kept for him for [`WINDOW`] only. Everybody behind him knows when that
//!   is over, from the answer to his own request or from the announcement of the release.
//! - One who is passed over (he was slow, and the window was over) is not in line any more. He is told so by his next
//!   request, which puts him in line again.
//! - A row that is pruned: its token is below the time of day, from which the next one is taken.
//! - A first attempt and a release are driven by their caller, in his thread or task, where a connection is idle and the key
//!   is free: a hop through the background thread less. If he goes away or they take too long, the engine follows them to
//!   their end there; if he does not poll, he keeps a connection that the others can do without ([`Database::here`]). A
//!   connection belongs to the runtime on which it was made, so that none is made or waited for elsewhere: blocking callers
//!   have [some with a runtime each](super::in_thread), and with `on_runtime=yes`, async callers have some of
//!   [their own](super::on_runtime).

#[cfg(any(feature = "postgres", feature = "mysql"))]
mod address;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod connections;
mod database;
mod row;
mod rows;
mod statement;
mod table;
mod values;

use std::time::Duration;

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) use self::address::Address;
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(in crate::backends) use self::{address::Form, connections::Connections};
pub(in crate::backends) use self::{
    database::{Database, Failed, Said, Statements, Taken, statements},
    row::{BETWEEN, Row, lease},
    rows::{Names, Rows},
    statement::{Statement, Style},
    table::{DEFAULT, Table},
    values::Values,
};

/// How long a free key is kept for the first in line: longer than he takes to look again, by himself or when told.
pub(in crate::backends) const WINDOW: Duration = Duration::from_millis(150);

/// Bytes as hexadecimal digits.
pub(in crate::backends) fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        digits.extend([byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
    }
    String::from_utf8(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        assert_eq!(digits(&[0, 1, 0x2f, 0xa0, 0xff]), "00012fa0ff");
    }
}
