//! The floor of a lock that is passed on by its release and claimed by who gets it, so that one who is stopped at the head
//! of the line stalls the others for a moment only: the least of scripts, on one connection, in the caller's runtime. One task
//! of a process at a time.

use std::sync::Arc;

use benches::Result;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, PushInfo, PushKind, Script, aio::MultiplexedConnection,
};
use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::contender::{Answer, Contender, Section, TTL};

const ACQUIRE: &str = "
    if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
    redis.call('RPUSH', KEYS[2], ARGV[1])
    return 0";

const CLAIM: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

const RELEASE: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    local next = redis.call('LPOP', KEYS[2])
    if not next then return redis.call('DEL', KEYS[1]) end
    redis.call('SET', KEYS[1], next, 'PX', 1000)
    redis.call('PUBLISH', next, KEYS[1])
    return 1";

struct PassedOn {
    connection: MultiplexedConnection,
    pushes: Mutex<UnboundedReceiver<PushInfo>>,
    /// Whose the lock is, and where he is told.
    owner: String,
    acquire: Script,
    claim: Script,
    release: Script,
}

pub(crate) async fn connect(url: String) -> Result<Arc<dyn Contender>> {
    let (sender, pushes) = unbounded_channel();
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    let client = Client::open(format!("{url}?protocol=resp3"))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let owner = format!("passed-on:{}", std::process::id());
    connection.subscribe(&owner).await?;
    let [acquire, claim, release] = [ACQUIRE, CLAIM, RELEASE].map(Script::new);
    Ok(Arc::new(PassedOn { connection, pushes: Mutex::new(pushes), owner, acquire, claim, release }))
}

impl PassedOn {
    async fn run(&self, script: &Script, key: &str) -> Result<bool> {
        let mut call = script.key(key);
        call.key(format!("{key}:line")).arg(&self.owner).arg(TTL.as_secs() * 1000);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Waits until a lock of that key was passed on to us.
    async fn told(&self, key: &str) -> Result {
        let mut pushes = self.pushes.lock().await;
        loop {
            let push = pushes.recv().await.ok_or("the connection has ended")?;
            let of = push.data.last().map(String::from_redis_value_ref).transpose()?;
            if push.kind == PushKind::Message && of.as_deref() == Some(key) {
                return Ok(());
            }
        }
    }
}

impl Contender for PassedOn {
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a> {
        Box::pin(async move {
            if !self.run(&self.acquire, key).await? {
                self.told(key).await?;
                if !self.run(&self.claim, key).await? {
                    return Err("it was claimed too late".into());
                }
            }
            section.await;
            if self.run(&self.release, key).await? { Ok(()) } else { Err("the lock was lost".into()) }
        })
    }
}
