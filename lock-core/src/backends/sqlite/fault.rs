//! What an error of SQLite means: whether the statement may have been executed, and whether trying again may help.

use std::path::Path;

use sqlx::{Error, sqlite::SqliteError};

use super::address::Address;
use crate::{backend::Fault, backends::sql::Failed};

// https://www.sqlite.org/rescode.html
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const READ_ONLY: i32 = 8;
const IO: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const NOT_A_DATABASE: i32 = 26;

pub(super) fn of(failed: &Failed, address: &Address) -> Fault {
    let error = failed.error();
    let fault = Fault::failed(format!("{address}: {}", text(error, address)));
    let executed = match (failed, primary(error)) {
        (Failed::Connecting(_), _) => false,
        // What was written may be read as whole after a crash.
        (Failed::Asking(_), Some(code)) => code == IO,
        (Failed::Asking(_), None) => true,
    };
    let fault = if executed { fault.maybe_executed() } else { fault };
    if is_permanent(error, address.path()) { fault.permanent() } else { fault }
}

/// Somebody's transaction keeps the file, or somebody repairs it after a crash.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(primary(error), Some(BUSY | PROTOCOL))
}

/// The table is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    primary(error) == Some(ERROR) && message(error).starts_with("no such table: ")
}

/// Whether nothing more should be asked on the connection that it came from.
pub(super) fn ends_connection(error: &Error) -> bool {
    !matches!(primary(error), Some(BUSY | PROTOCOL | ERROR | FULL))
}

fn is_permanent(error: &Error, path: &Path) -> bool {
    match primary(error) {
        Some(ERROR | READ_ONLY | CORRUPT | NOT_A_DATABASE) => true,
        Some(CANNOT_OPEN) => cannot_be_opened(path).is_some(),
        _ => matches!(error, Error::Configuration(_)),
    }
}

fn text(error: &Error, address: &Address) -> String {
    let advice = match primary(error) {
        Some(BUSY) => "; a transaction of somebody else keeps it locked",
        Some(READ_ONLY) => "; the file and its directory have to be writable for this user",
        Some(NOT_A_DATABASE) => "; it is a file of another kind, or encrypted",
        Some(FULL) => "; there is no space left for it",
        Some(CANNOT_OPEN) => cannot_be_opened(address.path())
            .unwrap_or("; the file and its directory have to be readable and writable for this user"),
        Some(ERROR) if is_another_table(message(error)) => {
            "; the table is another one than this version of the library makes"
        }
        _ => "",
    };
    match error {
        // Ours, or a system call's: the client's words around it say nothing.
        Error::Configuration(source) => format!("{source}"),
        Error::Database(source) => format!("{}{advice}", source.message()),
        error => format!("{error}{advice}"),
    }
}

/// Why not, as far as can be seen from here.
fn cannot_be_opened(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return Some("; it is a directory, accepted is a file");
    }
    match path.parent() {
        Some(directory) if !directory.exists() => Some("; its directory is not there"),
        Some(directory) if !directory.is_dir() => Some("; what should be its directory is none"),
        _ => None,
    }
}

fn is_another_table(message: &str) -> bool {
    ["no such column", "has no column named", "ON CONFLICT clause does not match", "cannot modify"]
        .iter()
        .any(|part| message.contains(part))
}

fn message(error: &Error) -> &str {
    error.as_database_error().map_or("", |error| error.message())
}

/// The first byte of the code, which says what kind of error it is.
fn primary(error: &Error) -> Option<i32> {
    use sqlx::error::DatabaseError;
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
