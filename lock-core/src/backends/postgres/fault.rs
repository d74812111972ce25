//! What an error of the client means: whether the request may have been executed, and whether asking again may help.

use sqlx::{Error, postgres::PgDatabaseError};

use crate::{
    backend::Fault,
    backends::sql::{Address, Failed, Said},
};

pub(super) fn of(failed: &Failed, address: &Address) -> Fault {
    let error = failed.error();
    let said = code(error).map(|code| match () {
        () if ends_session(code) => Said::Interrupted,
        () if is_permanent(code) => Said::Permanent,
        () => Said::Refused,
    });
    failed.means(said, text(error, address))
}

/// Whether nothing more can be asked on the connection that it came from.
pub(super) fn ends_connection(error: &Error) -> bool {
    // One to a standby is of no use either: another one may lead to the primary.
    code(error).is_none_or(|code| ends_session(code) || code == "25006")
}

/// The table is not there, or its schema.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(code(error), Some("42P01" | "3F000"))
}

/// Somebody has made the table at the same moment.
pub(super) fn is_there_already(error: &Error) -> bool {
    matches!(code(error), Some("42P07" | "23505" | "42710"))
}

/// Somebody's transaction keeps the row.
pub(super) fn is_locked(error: &Error) -> bool {
    code(error) == Some("55P03")
}

/// A pooler does not take a setting along with the connection.
pub(super) fn is_of_a_pooler(error: &Error) -> bool {
    code(error) == Some("08P01")
}

fn code(error: &Error) -> Option<&str> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code())
}

fn ends_session(code: &str) -> bool {
    // Connection exceptions, and an operator's intervention other than the cancellation of a statement.
    code.starts_with("08") || (code.starts_with("57P")) || code.starts_with("XX") || code.starts_with("58")
}

fn is_permanent(code: &str) -> bool {
    // Who one is, what one may do, what there is; but a read-only server may become the primary.
    code.starts_with("28")
        || matches!(code, "3D000" | "3F000")
        || code.starts_with("42")
        || code.starts_with("22")
}

fn text(error: &Error, address: &Address) -> String {
    let advice = match code(error) {
        Some("42501") => {
            "; a user needs SELECT, INSERT, UPDATE and DELETE on the table, and CREATE on the schema to make it"
        }
        Some("3F000") => "; the schema of the table has to be made first",
        Some("25006") => "; locks are kept on a primary, in a session or transaction that is not read-only",
        Some("42703" | "42804" | "42883" | "42P10" | "23502" | "23514" | "22001") => {
            "; the table is another one than this version of the library makes"
        }
        _ => "",
    };
    match error.as_database_error() {
        Some(said) => format!("{address}: {}{advice}", said.message()),
        None => format!("{address}: {error}"),
    }
}
