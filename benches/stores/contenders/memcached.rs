//! `memcache::exp` alone: the least that makes a lock, and the very commands that ours sends.

use std::{
    net::TcpStream as Blocked,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use benches::{
    Result,
    contender::{Blocking, TTL},
};
use memcache::exp::{
    AsyncMetaConnection, MetaCommand, MetaConnection, MetaOp, MetaResponse, ReturnCode, parse_meta_result,
};
use tokio::net::TcpStream;

use super::bare::{Client, owner};

const CLOCK: &str = "bare#clock";

/// `ms … ME`; `mg`, `md … C`.
pub(crate) struct Least(AsyncMetaConnection);

/// What ours sends, in as many round trips.
pub(crate) struct Same(AsyncMetaConnection);

impl Client for Least {
    async fn connect(url: &str) -> Result<Self> {
        Ok(Self(connection(url).await?))
    }

    async fn take(&mut self, key: &str, owner: &str) -> Result<bool> {
        let add = command(MetaOp::Set, key, &format!("ME T{}", life())).value(owner.to_owned());
        Ok(is_done(&self.0.execute(&add).await?))
    }

    async fn free(&mut self, key: &str, owner: &str) -> Result<bool> {
        let cas = cas(self.0.execute(&command(MetaOp::Get, key, "v c")).await?, owner)?;
        Ok(is_done(&self.0.execute(&command(MetaOp::Delete, key, &format!("C{cas}"))).await?))
    }
}

impl Client for Same {
    async fn connect(url: &str) -> Result<Self> {
        let mut connection = connection(url).await?;
        connection.execute(&clock()).await?;
        Ok(Self(connection))
    }

    async fn take(&mut self, key: &str, owner: &str) -> Result<bool> {
        let number = number(owner);
        let answers = self.0.execute_batch(&asking(key, &number)).await?;
        if !is_taken(answers, &number)? {
            return Ok(false);
        }
        let counted = self.0.execute_batch(&counting(key, owner)?).await?;
        Ok(counted.iter().all(is_done))
    }

    async fn free(&mut self, key: &str, owner: &str) -> Result<bool> {
        let cas = cas(self.0.execute(&command(MetaOp::Get, key, "v c t")).await?, &number(owner))?;
        Ok(is_done(&self.0.execute(&command(MetaOp::Delete, key, &format!("C{cas}"))).await?))
    }
}

/// The same without a runtime.
struct SameBlocking(Mutex<MetaConnection>);

pub(crate) fn blocking(url: &str) -> Result<Arc<dyn Blocking>> {
    let stream = Blocked::connect(address(url)?)?;
    stream.set_nodelay(true)?;
    let mut connection = MetaConnection::from_stream(stream);
    connection.execute(&clock())?;
    Ok(Arc::new(SameBlocking(Mutex::new(connection))))
}

impl Blocking for SameBlocking {
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result {
        let owner = owner()?;
        let number = number(&owner);
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_taken(connection.execute_batch(&asking(key, &number))?, &number)? {
            return Err("somebody else has the lock".into());
        }
        connection.execute_batch(&counting(key, &owner)?)?;
        section();
        let cas = cas(connection.execute(&command(MetaOp::Get, key, "v c t"))?, &number)?;
        let removed = connection.execute(&command(MetaOp::Delete, key, &format!("C{cas}")))?;
        if is_done(&removed) { Ok(()) } else { Err("the lock was lost".into()) }
    }
}

/// An item like that by which ours knows the server's time.
fn clock() -> MetaCommand {
    command(MetaOp::Set, CLOCK, "ME T0").value(format!("lock/1 {} {:032x}", 1 << 31, 7))
}

/// Takes the lock and looks at what there is.
fn asking(key: &str, number: &str) -> [MetaCommand; 5] {
    [
        command(MetaOp::Get, CLOCK, "v c t"),
        command(MetaOp::Arithmetic, key, &format!("v D0 N{} J{number} C{}", life(), u64::MAX)),
        command(MetaOp::Get, &format!("{key}#holder"), "v c t"),
        command(MetaOp::Get, &format!("{key}#token"), "v c t"),
        command(MetaOp::Get, key, "v c t"),
    ]
}

/// A fencing token, and who has the lock.
fn counting(key: &str, owner: &str) -> Result<[MetaCommand; 2]> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let kept = life() + 600;
    let record = format!("lock/1 {owner} {} host {now}", std::process::id());
    Ok([
        command(MetaOp::Arithmetic, &format!("{key}#token"), &format!("v D1 N{kept} J{now} T{kept}")),
        command(MetaOp::Set, &format!("{key}#holder"), &format!("T{}", life())).value(record),
    ])
}

fn is_taken(answers: Vec<MetaResponse>, number: &str) -> Result<bool> {
    let lock = answers.into_iter().next_back().ok_or("an answer is missing")?;
    let lock = parse_meta_result(lock)?;
    Ok(lock.value.is_some_and(|value| value == number.as_bytes()))
}

/// The CAS number of the owner's lock.
fn cas(found: MetaResponse, expected: &str) -> Result<u64> {
    let found = parse_meta_result(found)?;
    if found.value.is_none_or(|value| value != expected.as_bytes()) {
        return Err("the lock was lost".into());
    }
    Ok(found.cas.ok_or("the server told no CAS number")?)
}

fn is_done(answer: &MetaResponse) -> bool {
    matches!(answer.rc(), ReturnCode::Hd | ReturnCode::Va)
}

fn command(operation: MetaOp, key: &str, flags: &str) -> MetaCommand {
    flags.split(' ').fold(MetaCommand::new(operation, key), MetaCommand::flag)
}

fn number(owner: &str) -> String {
    u64::from_str_radix(&owner[..16], 16).unwrap_or_default().to_string()
}

fn life() -> u64 {
    TTL.as_secs() + 1
}

async fn connection(url: &str) -> Result<AsyncMetaConnection> {
    let stream = TcpStream::connect(address(url)?).await?;
    stream.set_nodelay(true)?;
    Ok(AsyncMetaConnection::from_stream(stream))
}

fn address(url: &str) -> Result<&str> {
    Ok(url.strip_prefix("memcache://").ok_or("not the URL of a memcached")?)
}
