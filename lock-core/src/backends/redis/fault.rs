//! What an error of the client means: whether the request may have been executed, and whether asking again may help.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::Address;
use crate::backend::Fault;

/// The error of a request that was sent.
pub(super) fn of_a_request(error: &RedisError, address: &Address) -> Fault {
    let fault = Fault::failed(text(error, address));
    if is_denied(error) {
        return fault.maybe_executed().permanent();
    }
    match error.kind() {
        // Refused before anything was done.
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ReadOnly,
        ) => fault,
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => fault.permanent(),
        ErrorKind::Extension if matches!(error.code(), Some("BUSY" | "OOM")) => fault,
        ErrorKind::Extension if error.code() == Some("NOAUTH") => fault.permanent(),
        ErrorKind::Extension if error.code() == Some("WRONGTYPE") => fault.maybe_executed().permanent(),
        _ => fault.maybe_executed(),
    }
}

/// The error of a connection that was not made: nothing was asked on it.
pub(super) fn of_a_connection(error: &RedisError, address: &Address) -> Fault {
    let fault = Fault::failed(text(error, address));
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => {
            fault.permanent()
        }
        ErrorKind::Server(ServerErrorKind::NoPerm) => fault.permanent(),
        ErrorKind::Extension if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => fault.permanent(),
        _ if error.to_string().contains("DB index is out of range") => fault.permanent(),
        _ => fault,
    }
}

/// Whether nothing more can be asked on the connection that it came from.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error()
}

/// A missing permission, of the request itself or of a command in a script.
pub(super) fn is_denied(error: &RedisError) -> bool {
    let in_script = || error.to_string().contains("The user executing the script can't");
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) || in_script()
}

fn text(error: &RedisError, address: &Address) -> String {
    let advice = match error.kind() {
        _ if is_denied(error) => {
            "; a user needs the permissions to use the keys under the prefix and the channels lock:waiters:*, and to run \
             ping, evalsha, script|load, get, mget, exists, set, del, pexpire, pttl, time, zadd, zrem, zpopmin, zrange, \
             publish, subscribe and scan"
        }
        ErrorKind::Server(ServerErrorKind::ReadOnly) => "; locks are kept on a master, this is a replica",
        ErrorKind::RESP3NotSupported => "; accepted are Redis from 6.2 on and Valkey",
        ErrorKind::Extension if error.code() == Some("WRONGTYPE") => {
            "; the key is something else than a lock, and is left alone"
        }
        _ => "",
    };
    format!("{address}: {error}{advice}")
}
