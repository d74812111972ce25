//! Fenced writes on Redis and Valkey, over connections of the crate `redis` 1, blocking or async.
//!
//! ```no_run
//! use lock_core::{Locker, fencing::redis::fenced};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = redis::Client::open("redis://shop-db")?.get_connection()?;
//! let guard = Locker::open("redis://shop-locks")?.lock("stock:7").acquire()?;
//!
//! // What is read under a token cannot be changed under a lower one any more.
//! let stock: Option<u32> = fenced("GET", "stock:7", guard.fencing_token()).query(&mut connection)??;
//! let left = stock.unwrap_or(10) - 1;
//! fenced("SET", "stock:7", guard.fencing_token()).arg(left).query::<()>(&mut connection)??;
//! # Ok(()) }
//! ```
//!
//! The first `?` is for Redis, the second for [`Stale`]. The resource stays what it was, a string or a hash that others
//! read as ever. Its fence is a key of its own, which stays when the resource is deleted, so that a stale holder cannot
//! bring that back. It must not be evicted or expire sooner than a holder may be late.
//!
//! | resource | its fence |
//! |---|---|
//! | `stock:7` | `fence:{stock:7}`, in the same slot of a Cluster |
//! | `{shop}stock:7`, and any other key with a `}` | `{shop}stock:7:fence` |
//!
//! In a Cluster, a key with a `}` needs a hash tag. A user of the server needs `EVALSHA`, `SCRIPT LOAD`, `GET`, `SET`, the command
//! itself, and both keys: `+evalsha +script|load +get +set ~stock:* ~fence:{stock:*`. Other clients and names: [`SCRIPT`].

use std::sync::OnceLock;

use redis::{
    FromRedisValue, RedisResult, Script, ScriptInvocation, ToRedisArgs, Value, aio, from_redis_value,
};

use super::Stale;
use crate::lease::FencingToken;

/// The script, for other clients and for keys of other names.
///
/// KEYS: the resource, its fence. ARGV: the token, the command, its arguments after the key. Answers the highest token,
/// the own one included, and what the command said; the highest alone where the command was refused.
pub const SCRIPT: &str = include_str!("fenced.lua");

/// A command on `key`, to be run unless a higher token than `token` has been there: as `redis::cmd`, with a fence.
///
/// Any command with one key will do that takes the key first: `SET`, `HSET`, `DEL`, `INCRBY`, `GET`.
pub fn fenced(command: &str, key: impl AsRef<[u8]>, token: FencingToken) -> Fenced {
    static LOADED: OnceLock<Script> = OnceLock::new();
    let (script, key) = (LOADED.get_or_init(|| Script::new(SCRIPT)), key.as_ref());
    let mut call = script.key(key);
    call.key(fence_of(key)).arg(token).arg(command);
    Fenced { call, token }
}

/// A command under a fencing token, by [`fenced`].
#[derive(Debug)]
#[must_use = "it is sent by `query` or `query_async`"]
pub struct Fenced {
    call: ScriptInvocation<'static>,
    token: FencingToken,
}

impl Fenced {
    /// Adds an argument, after the key.
    pub fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.call.arg(argument);
        self
    }

    /// Sends it over a connection that blocks, and gives what the command said.
    ///
    /// # Errors
    /// Those of Redis. [`Stale`] if a higher token has been there: nothing was written.
    pub fn query<T: FromRedisValue>(
        &self,
        connection: &mut dyn redis::ConnectionLike,
    ) -> RedisResult<Result<T, Stale>> {
        let answer = self.call.invoke(connection)?;
        self.read(answer)
    }

    /// The same over an async connection.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_async<T: FromRedisValue>(
        &self,
        connection: &mut (impl aio::ConnectionLike + Send),
    ) -> RedisResult<Result<T, Stale>> {
        let answer = self.call.invoke_async(connection).await?;
        self.read(answer)
    }

    fn read<T: FromRedisValue>(&self, answer: Vec<Value>) -> RedisResult<Result<T, Stale>> {
        let mut answer = answer.into_iter();
        let highest: FencingToken = from_redis_value(answer.next().unwrap_or(Value::Nil))?;
        if highest > self.token {
            return Ok(Err(Stale { token: self.token, highest: Some(highest) }));
        }
        Ok(Ok(from_redis_value(answer.next().unwrap_or(Value::Nil))?))
    }
}

/// Two resources never share a fence: one form ends in `}`, the other does not.
fn fence_of(key: &[u8]) -> Vec<u8> {
    if key.contains(&b'}') { [key, b":fence"].concat() } else { [b"fence:{", key, b"}"].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_has_the_hash_tag_of_its_resource() {
        let fence = |key: &str| String::from_utf8(fence_of(key.as_bytes())).unwrap();
        assert_eq!(fence("stock:7"), "fence:{stock:7}");
        assert_eq!(fence("{shop}stock:7"), "{shop}stock:7:fence");
        assert_eq!(fence("stock{7"), "fence:{stock{7}");
        assert_ne!(fence("{a}"), fence("a"));
    }
}
