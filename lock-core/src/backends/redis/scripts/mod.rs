//! What happens on the server, each in one step. The scripts stand beside this file, with what they keep true.

use redis::{
    Cmd, Connection, ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ServerErrorKind,
    ToRedisArgs, Value, aio::MultiplexedConnection, from_redis_value,
};

use super::names::Name;
use crate::lease::Owner;

const NOW: &str = include_str!("now.lua");
const RECORD: &str = include_str!("record.lua");
const GRANT: &str = include_str!("grant.lua");
const FREE: &str = include_str!("free.lua");
const TAKEN: &str = include_str!("taken.lua");
const PASS_ON: &str = include_str!("pass_on.lua");
const GIVE: &str = include_str!("give.lua");

/// The scripts, each with its hash.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) acquire_many: Script,
    pub(super) adopt: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) release_many: Script,
    pub(super) force_release: Script,
    pub(super) give_up: Script,
    pub(super) holder: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let of = |parts: &[&str]| Script::new(&parts.concat());
        // What is made for one and then not used, as most keys are free, costs a tenth of an acquire.
        let one = "local lock, record, queue = KEYS[1], KEYS[2], KEYS[3]\n\
                   local whom, told, owner, ttl, keep, reserve, stands = unpack(ARGV)\n";
        let each =
            "local function take(lock, record, queue, whom, told, owner, ttl, keep, reserve, stands)\n";
        let many = include_str!("acquire_many.lua");
        Self {
            acquire: of(&[one, NOW, FREE, RECORD, GRANT, TAKEN]),
            acquire_many: of(&[NOW, RECORD, GRANT, each, FREE, TAKEN, "end\n", many]),
            adopt: of(&[NOW, RECORD, GRANT, include_str!("adopt.lua")]),
            renew: of(&[include_str!("renew.lua")]),
            release: of(&[include_str!("release.lua"), RECORD, PASS_ON, include_str!("release_to_next.lua")]),
            release_many: of(&[RECORD, PASS_ON, GIVE, include_str!("release_many.lua")]),
            force_release: of(&[RECORD, PASS_ON, include_str!("force_release.lua")]),
            give_up: of(&[RECORD, PASS_ON, include_str!("give_up.lua")]),
            holder: of(&[include_str!("holder.lua")]),
        }
    }
}

/// A script with what it is run on.
///
/// Not the client's own, which copies every argument twice on its way.
pub(super) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl<'a> Call<'a> {
    pub(super) fn new(script: &'a Script, keys: &[Name<'_>]) -> Self {
        let mut command = Cmd::with_capacity(13, 500);
        command.arg("EVALSHA").arg(script.get_hash()).arg(keys.len());
        keys.iter().for_each(|key| key.write_to(&mut command));
        Self { script, command }
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// Whose lock it is.
    pub(super) fn owner(self, owner: &Owner) -> Self {
        self.arg(owner.text(&mut [0; 32]))
    }

    /// Runs it; a server that does not know the script is told it.
    pub(super) async fn invoke_async<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        Ok(from_redis_value(self.ask(connection).await?.extract_error()?)?)
    }

    /// The same, for an answer that may have errors inside.
    pub(super) async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        match sent(&self.command, connection).await {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                sent(&self.command, connection).await
            }
            answer => answer,
        }
    }

    /// The same on a connection that blocks.
    pub(super) fn invoke<T: FromRedisValue>(&self, connection: &mut Connection) -> RedisResult<T> {
        match self.command.query(connection) {
            Err(error) if is_unknown(&error) => {
                self.script.load(connection)?;
                self.command.query(connection)
            }
            answer => answer,
        }
    }
}

async fn sent(command: &Cmd, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
    match connection.send_packed_command(command).await? {
        Value::ServerError(error) => Err(error.into()),
        answer => Ok(answer),
    }
}

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
