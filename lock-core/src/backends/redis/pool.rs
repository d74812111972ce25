//! Connections for blocking callers: in their own thread, a call costs no hop through the background thread.
//!
//! A few at most. Who finds none idle goes through the background thread, whose one connection serves a crowd with fewer
//! system calls.

use std::time::Duration;

use redis::{Client, Connection, FromRedisValue, RedisError};

use super::{fault, scripts::Call};
use crate::sync::{self, Mutex};

/// More than this, and the shared connection is the better way.
const MOST: usize = 8;
/// How long making one may take.
const CONNECTING: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    client: Client,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    process: u32,
    idle: Vec<Pooled>,
    open: usize,
    /// Counts the times that all of them were given up.
    round: u64,
}

struct Pooled {
    connection: Connection,
    round: u64,
    limit: Duration,
}

impl Pool {
    pub(super) fn new(client: Client) -> Self {
        Self { client, connections: Mutex::default() }
    }

    /// Runs a script within `limit`; `None` if no connection is free, or can be made.
    pub(super) fn invoke<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        limit: Duration,
        process: u32,
    ) -> Option<Result<T, RedisError>> {
        let mut pooled = self.take(process, limit)?;
        if pooled.limit != limit {
            let set = pooled.connection.set_read_timeout(Some(limit));
            if set.and_then(|()| pooled.connection.set_write_timeout(Some(limit))).is_err() {
                self.give_up(pooled);
                return None;
            }
            pooled.limit = limit;
        }
        let answer = call.invoke(&mut pooled.connection);
        match &answer {
            // A late answer would be taken for that of the next request.
            Err(error) if fault::ends_connection(error) => {
                self.clear();
                self.give_up(pooled);
            }
            _ => self.put_back(pooled),
        }
        Some(answer)
    }

    /// What is idle is of no use any more: the server was restarted, or has become another.
    pub(super) fn clear(&self) {
        let idle = {
            let mut connections = sync::lock(&self.connections);
            connections.round += 1;
            connections.open -= connections.idle.len();
            std::mem::take(&mut connections.idle)
        };
        drop(idle);
    }

    fn take(&self, process: u32, limit: Duration) -> Option<Pooled> {
        let mut connections = sync::lock(&self.connections);
        if connections.process != process {
            // A forked child: they are its parent's, and closing them is not for the child to do.
            let parents = std::mem::take(&mut *connections);
            std::mem::forget(parents.idle);
            connections.process = process;
        }
        if let Some(pooled) = connections.idle.pop() {
            return Some(pooled);
        }
        if connections.open >= MOST {
            return None;
        }
        connections.open += 1;
        let round = connections.round;
        drop(connections);
        match self.client.get_connection_with_timeout(CONNECTING.min(limit)) {
            Ok(connection) => Some(Pooled { connection, round, limit: Duration::ZERO }),
            Err(error) => {
                tracing::debug!(%error, "no connection of its own for a blocking call");
                sync::lock(&self.connections).open -= 1;
                None
            }
        }
    }

    fn put_back(&self, pooled: Pooled) {
        let mut connections = sync::lock(&self.connections);
        if pooled.round == connections.round {
            connections.idle.push(pooled);
        } else {
            connections.open -= 1;
            drop(connections);
            drop(pooled);
        }
    }

    fn give_up(&self, pooled: Pooled) {
        sync::lock(&self.connections).open -= 1;
        drop(pooled);
    }
}
