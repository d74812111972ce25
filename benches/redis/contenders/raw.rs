//! The floor: the `redis` client alone, `SET key token NX PX ttl` and a compare-and-delete script.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use benches::Result;
use redis::{Client, Connection, IntoConnectionInfo, Script, Value, aio::MultiplexedConnection};

use crate::contender::{Answer, Blocking, Contender, Section, TTL};

const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// One multiplexed connection for all tasks, without any option, as its documentation makes it.
struct Raw {
    connection: MultiplexedConnection,
    release: Script,
}

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    let connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    Ok(Arc::new(Raw { connection, release: Script::new(RELEASE) }))
}

impl Contender for Raw {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let (mut connection, token) = (self.connection.clone(), token()?);
            let taken = take(key, &token).query_async(&mut connection).await?;
            had(&taken)?;
            section.await;
            let released = self.release.key(key).arg(&token[..]).invoke_async(&mut connection).await?;
            given_back(released)
        })
    }
}

/// So many connections, taken for each request by whoever needs one.
struct Pool {
    idle: Mutex<Idle>,
    returned: Condvar,
    release: Script,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    waiting: usize,
}

/// Connections without the delay of Nagle's algorithm, as a lock must have them.
pub(crate) fn pool(url: &str, connections: usize) -> Result<Arc<dyn Blocking>> {
    let info = url.into_connection_info()?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    let client = Client::open(info.set_tcp_settings(tcp))?;
    let connections = (0..connections).map(|_| client.get_connection()).collect::<redis::RedisResult<_>>()?;
    let idle = Mutex::new(Idle { connections, waiting: 0 });
    Ok(Arc::new(Pool { idle, returned: Condvar::new(), release: Script::new(RELEASE) }))
}

impl Pool {
    fn with<T>(&self, request: impl FnOnce(&mut Connection) -> T) -> T {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = loop {
            if let Some(connection) = idle.connections.pop() {
                break connection;
            }
            idle.waiting += 1;
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
            idle.waiting -= 1;
        };
        drop(idle);
        let answer = request(&mut connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.connections.push(connection);
        let waited_for = idle.waiting > 0;
        drop(idle);
        // To wake nobody is a system call, too: a lock alone on its connection does without.
        if waited_for {
            self.returned.notify_one();
        }
        answer
    }
}

impl Blocking for Pool {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let token = token()?;
        had(&self.with(|connection| take(key, &token).query(connection))?)?;
        section();
        given_back(self.with(|connection| self.release.key(key).arg(&token[..]).invoke(connection))?)
    }
}

fn take(key: &str, token: &[u8]) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(token).arg("NX").arg("PX").arg(TTL.as_secs() * 1000);
    command
}

fn token() -> Result<[u8; 16]> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| error.to_string())?;
    Ok(token)
}

fn had(answer: &Value) -> Result {
    if *answer == Value::Okay { Ok(()) } else { Err("somebody else has the lock".into()) }
}

fn given_back(deleted: i32) -> Result {
    if deleted == 1 { Ok(()) } else { Err("the lock was lost".into()) }
}
