//! What an error of the client means: whether the request may have been executed, and whether asking again may help.

use sqlx::{Error, mysql::MySqlDatabaseError};

use crate::{
    backend::Fault,
    backends::sql::{Address, Failed, Said},
};

pub(super) fn of(failed: &Failed, address: &Address) -> Fault {
    let error = failed.error();
    let said = number(error).map(|number| match () {
        () if interrupts(number) => Said::Interrupted,
        () if is_permanent(number) => Said::Permanent,
        () => Said::Refused,
    });
    failed.means(said, text(error, address))
}

/// Whether nothing more should be asked on the connection that it came from. One to a server that only reads is given
/// up, as its name may lead to another by now.
pub(super) fn ends_connection(error: &Error) -> bool {
    number(error)
        .is_none_or(|number| interrupts(number) || is_read_only(number) || number == UNKNOWN_STATEMENT)
}

/// The table is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    number(error) == Some(1146)
}

/// Somebody's transaction keeps the row, or has kept it until this statement was chosen to give way: it did nothing.
pub(super) fn is_locked(error: &Error) -> bool {
    // A wait for a row that took too long; a deadlock, or a conflict found at the commit (Galera); a row that has changed.
    matches!(number(error), Some(1205 | 1213 | 1020))
}

/// What was prepared is not known: something in between gives its sessions to several clients.
const UNKNOWN_STATEMENT: u16 = 1243;

fn number(error: &Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// The server shuts down, ends the session or the statement, or does not know how its commit went.
fn interrupts(number: u16) -> bool {
    matches!(number, 1053 | 1077..=1080 | 1105 | 1152 | 1158..=1161 | 1180 | 1184 | 1317 | 1927 | 3169 | 4031)
}

fn is_read_only(number: u16) -> bool {
    matches!(number, 1290 | 1792 | 1836)
}

/// Who one is, what one may do, what there is, and what does not fit; but a server that only reads may become the primary,
/// and one that is full may have room.
fn is_permanent(number: u16) -> bool {
    let who = matches!(number, 1045 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862);
    let may = matches!(number, 1044 | 1142 | 1143 | 1227 | 1370);
    let what = matches!(number, 1049 | 1054 | 1064 | 1103 | 1146 | 1286 | 1347);
    who || may || what || matches!(number, 1264 | 1364 | 1366 | 1406 | 1665)
}

fn text(error: &Error, address: &Address) -> String {
    let advice = match number(error) {
        Some(1044 | 1142 | 1143) => {
            "; a user needs SELECT, INSERT, UPDATE and DELETE on the table, and CREATE to make it"
        }
        Some(number) if is_read_only(number) => "; locks are kept on a primary, this server only reads",
        Some(1054) => "; the table is another one than this version of the library makes",
        _ => "",
    };
    format!("{address}: {error}{advice}")
}
