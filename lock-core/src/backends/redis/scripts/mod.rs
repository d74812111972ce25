//! What happens on the server, each in one step. The scripts stand beside this file, with what they keep true.

use std::fmt::Display;

use redis::{
    Cmd, Connection, ErrorKind, FromRedisValue, RedisError, RedisResult, RedisWrite, Script, ServerErrorKind,
    aio::MultiplexedConnection,
};

use super::names::Name;

const RECORD: &str = include_str!("record.lua");
const GRANT: &str = include_str!("grant.lua");
const PASS_ON: &str = include_str!("pass_on.lua");

/// The scripts, each with its hash.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) adopt: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) force_release: Script,
    pub(super) give_up: Script,
    pub(super) holder: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let of = |parts: &[&str]| Script::new(&parts.concat());
        Self {
            acquire: of(&[RECORD, GRANT, include_str!("acquire.lua")]),
            adopt: of(&[RECORD, GRANT, include_str!("adopt.lua")]),
            renew: of(&[include_str!("renew.lua")]),
            release: of(&[RECORD, PASS_ON, include_str!("release.lua")]),
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
        let mut command = Cmd::with_capacity(12, 400);
        command.arg("EVALSHA").arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.write_arg_fmt(key);
        }
        Self { script, command }
    }

    pub(super) fn arg(mut self, argument: impl Display) -> Self {
        self.command.write_arg_fmt(argument);
        self
    }

    /// Runs it; a server that does not know the script is told it.
    pub(super) async fn invoke_async<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match self.command.query_async(connection).await {
            Err(error) if is_unknown(&error) => {
                self.script.load_async(connection).await?;
                self.command.query_async(connection).await
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

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
