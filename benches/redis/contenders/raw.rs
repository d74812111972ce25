//! The floor: the `redis` client alone, `SET key token NX PX ttl` and a compare-and-delete script.
//!
//! And what the same client costs with a lock that is fenced, tells its holder and lets others wait in line: the least of
//! scripts that do so, and nothing around them. What is above that is ours; what is below is what is asked for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use benches::Result;
use redis::{
    Client, Connection, IntoConnectionInfo, Script, ScriptInvocation, Value, aio::MultiplexedConnection,
};

use crate::contender::{Answer, Blocking, Contender, Section, TTL};

const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// With a token that grows, and a record of it and of the holder.
const ACQUIRE_FENCED: &str = "
    if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return nil end
    local time = redis.call('TIME')
    local token = time[1] .. string.sub('00000' .. time[2], -6)
    local old = redis.call('SET', KEYS[2], token .. ARGV[3], 'PX', ARGV[4], 'GET')
    if old and string.sub(old, 1, 16) >= token then return redis.error_reply('the clock stands still') end
    return token";

/// With a look whether somebody waits.
const RELEASE_FENCED: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    if redis.call('PTTL', KEYS[2]) ~= -2 then return redis.error_reply('somebody waits') end
    return redis.call('DEL', KEYS[1])";

/// One multiplexed connection for all tasks, without any option, as its documentation makes it.
struct Raw {
    connection: MultiplexedConnection,
    scripts: Scripts,
}

/// What is run on the server.
struct Scripts {
    acquire: Option<Script>,
    release: Script,
}

impl Scripts {
    fn plain() -> Self {
        Self { acquire: None, release: Script::new(RELEASE) }
    }

    fn fenced() -> Self {
        Self { acquire: Some(Script::new(ACQUIRE_FENCED)), release: Script::new(RELEASE_FENCED) }
    }
}

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    connected(url, Scripts::plain()).await
}

pub(crate) async fn fenced(url: String) -> Result<Arc<dyn Contender>> {
    connected(url, Scripts::fenced()).await
}

async fn connected(url: String, scripts: Scripts) -> Result<Arc<dyn Contender>> {
    let connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    Ok(Arc::new(Raw { connection, scripts }))
}

impl Contender for Raw {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            let (mut connection, token) = (self.connection.clone(), token()?);
            let taken = match &self.scripts.acquire {
                None => take(key, &token).query_async(&mut connection).await?,
                Some(script) => take_fenced(script, key, &token).invoke_async(&mut connection).await?,
            };
            had(&taken)?;
            section.await;
            let released = give(&self.scripts, key, &token).invoke_async(&mut connection).await?;
            given_back(released)
        })
    }
}

/// So many connections, taken for each request by whoever needs one.
struct Pool {
    idle: Mutex<Idle>,
    returned: Condvar,
    scripts: Scripts,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    waiting: usize,
}

/// Connections without the delay of Nagle's algorithm, as a lock must have them.
pub(crate) fn pool(url: &str, connections: usize) -> Result<Arc<dyn Blocking>> {
    pooled(url, connections, Scripts::plain())
}

pub(crate) fn fenced_pool(url: &str, connections: usize) -> Result<Arc<dyn Blocking>> {
    pooled(url, connections, Scripts::fenced())
}

fn pooled(url: &str, connections: usize, scripts: Scripts) -> Result<Arc<dyn Blocking>> {
    let info = url.into_connection_info()?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    let client = Client::open(info.set_tcp_settings(tcp))?;
    let connections = (0..connections).map(|_| client.get_connection()).collect::<redis::RedisResult<_>>()?;
    let idle = Mutex::new(Idle { connections, waiting: 0 });
    Ok(Arc::new(Pool { idle, returned: Condvar::new(), scripts }))
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
        let taken = self.with(|connection| match &self.scripts.acquire {
            None => take(key, &token).query(connection),
            Some(script) => take_fenced(script, key, &token).invoke(connection),
        });
        had(&taken?)?;
        section();
        given_back(self.with(|connection| give(&self.scripts, key, &token).invoke(connection))?)
    }
}

fn take(key: &str, token: &[u8]) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(token).arg("NX").arg("PX").arg(TTL.as_secs() * 1000);
    command
}

fn take_fenced<'a>(script: &'a Script, key: &str, token: &[u8]) -> ScriptInvocation<'a> {
    let mut call = script.key(key);
    let ttl = TTL.as_secs() * 1000;
    call.key(format!("{key}\u{1f}record")).arg(token).arg(ttl).arg(" 1 4711 web-1").arg(2 * ttl);
    call
}

fn give<'a>(scripts: &'a Scripts, key: &str, token: &[u8]) -> ScriptInvocation<'a> {
    let mut call = scripts.release.key(key);
    if scripts.acquire.is_some() {
        call.key(format!("{key}\u{1f}line"));
    }
    call.arg(token);
    call
}

fn token() -> Result<[u8; 16]> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| error.to_string())?;
    Ok(token)
}

fn had(answer: &Value) -> Result {
    match answer {
        Value::Okay | Value::BulkString(_) => Ok(()),
        _ => Err("somebody else has the lock".into()),
    }
}

fn given_back(deleted: i32) -> Result {
    if deleted == 1 { Ok(()) } else { Err("the lock was lost".into()) }
}
