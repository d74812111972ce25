//! What is looked at when a connection is made: whether the server can keep a lock at all.

use redis::{ErrorKind, InfoDict, RedisError, ServerErrorKind, Value, aio::MultiplexedConnection};

use super::{address::Address, fault};
use crate::backend::Fault;

/// A replica would refuse every lock, or, worse, grant one that its master does not know.
pub(super) async fn refuse_a_replica(
    connection: &mut MultiplexedConnection,
    address: &Address,
    first: bool,
) -> Result<(), Fault> {
    let role: Result<Value, _> = redis::cmd("ROLE").query_async(connection).await;
    match role {
        Ok(Value::Array(parts)) => match parts.first() {
            Some(Value::BulkString(role)) if &role[..] == b"slave" => {
                let fault = Fault::failed(format!(
                    "{address} is a replica, which is read-only; accepted is the URL of its master"
                ));
                // What was a master before is in the middle of a fail-over.
                Err(if first { fault.permanent() } else { fault })
            }
            _ => Ok(()),
        },
        Err(error) if fault::ends_connection(&error) => Err(fault::of_a_connection(&error, address)),
        // A server without roles, or one that does not tell us: its answers to writes will.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A server that is full may drop a lock that is held: `allkeys-*` and `volatile-*` both do.
pub(super) async fn warn_of_eviction(connection: &mut MultiplexedConnection, address: &Address) {
    let info: Result<InfoDict, _> = redis::cmd("INFO").arg("memory").query_async(connection).await;
    let Ok(info) = info else { return };
    let policy: String = info.get("maxmemory_policy").unwrap_or_default();
    let limit: u64 = info.get("maxmemory").unwrap_or_default();
    if limit > 0 && (policy.starts_with("allkeys-") || policy.starts_with("volatile-")) {
        tracing::warn!(
            %address,
            policy,
            "the server drops keys when its memory is full, and with them locks that are held: set maxmemory-policy to noeviction"
        );
    }
}

pub(super) fn is_replica(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}
