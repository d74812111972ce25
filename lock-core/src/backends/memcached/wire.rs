//! The commands, and the connection that they go over. The only file that knows the client crate, as its `exp` says of
//! itself that it may change.
//!
//! Connections and not the clients of the crate, which take another connection of their pool for every command: a CAS
//! number means nothing to a server that was restarted since it was read, so that both have to go over one connection.

use std::{
    io,
    net::{TcpStream as Blocking, ToSocketAddrs},
    time::Duration,
};

use memcache::exp::{
    AsyncMetaConnection, Error, MetaCommand, MetaConnection, MetaOp, ReturnCode, parse_meta_result,
};
use tokio::net::TcpStream;

use super::address::Address;
use crate::backend::Fault;

/// A CAS number that no item gets: an `ma` with it changes nothing that is there, but makes what is not.
const NEVER: u64 = u64::MAX;

/// How long making a connection may take.
pub(super) const CONNECTING: Duration = Duration::from_secs(2);
/// How long an answer may take, before nobody waits for what this connection may still say.
pub(super) const ANSWERING: Duration = Duration::from_secs(1);

/// A command of the meta protocol.
pub(super) struct Command(MetaCommand);

impl Command {
    fn new(operation: MetaOp, name: &str, flags: &str) -> Self {
        let command = MetaCommand::new(operation, name);
        Self(flags.split(' ').fold(command, MetaCommand::flag))
    }

    /// Makes a number that is not there. What is there stays, also where the server has no room: an `ms` in mode "add"
    /// that finds none **deletes** the item that it was not to replace (`process_mset_command`, seen with 1.6.18).
    pub(super) fn add(name: &str, number: u64, life: u64) -> Self {
        Self::new(MetaOp::Arithmetic, name, &format!("v D0 N{life} J{number} C{NEVER}"))
    }

    /// Reads the value, the CAS number, and how much longer it lives. Without a bump in the LRU (`u`): one that is under way
    /// holds the item, so that an `ma` would put a new one in its place, and set the time on the old one (1.6.18).
    pub(super) fn look(name: &str) -> Self {
        Self::new(MetaOp::Get, name, "u v c t")
    }

    /// Lets a number live so long from now on, if it is still what was read. In its place, so that it needs no room.
    pub(super) fn keep(name: &str, cas: u64, life: u64) -> Self {
        Self::new(MetaOp::Arithmetic, name, &format!("D0 C{cas} T{life}"))
    }

    /// Adds to a number, or makes it.
    pub(super) fn count(name: &str, by: u64, first: u64, life: u64) -> Self {
        Self::new(MetaOp::Arithmetic, name, &format!("v D{by} N{life} J{first} T{life}"))
    }

    /// Puts a text in place of whatever is there.
    pub(super) fn write(name: &str, text: String, life: u64) -> Self {
        let Self(command) = Self::new(MetaOp::Set, name, &format!("T{life}"));
        Self(command.value(text))
    }

    /// Puts a text where there is nothing. Only where it does no harm if what is there goes away.
    pub(super) fn write_new(name: &str, text: String, life: u64) -> Self {
        let Self(command) = Self::new(MetaOp::Set, name, &format!("ME T{life}"));
        Self(command.value(text))
    }

    /// Lets it live so long from now on, whatever it is.
    pub(super) fn touch(name: &str, life: u64) -> Self {
        Self::new(MetaOp::Get, name, &format!("T{life}"))
    }

    /// Removes it, if it is still what was read.
    pub(super) fn remove(name: &str, cas: u64) -> Self {
        Self::new(MetaOp::Delete, name, &format!("C{cas}"))
    }

    /// Removes it, whatever it is.
    pub(super) fn remove_any(name: &str) -> Self {
        Self(MetaCommand::new(MetaOp::Delete, name))
    }

    /// Nothing.
    pub(super) fn nothing() -> Self {
        Self(MetaCommand::new(MetaOp::Noop, ""))
    }
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done, or the item is there.
    Done,
    /// There is no such item.
    Missing,
    /// There is another one than was expected.
    Other,
}

/// The answer to a command.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    pub(super) value: Option<Vec<u8>>,
    pub(super) cas: Option<u64>,
    /// How many seconds it lives yet; -1 for ever.
    pub(super) left: Option<i64>,
}

impl Reply {
    /// The value, if it is a number.
    pub(super) fn number(&self) -> Option<u64> {
        str::from_utf8(self.value.as_ref()?).ok()?.parse().ok()
    }
}

/// A connection to the server, for one sequence of commands at a time.
pub(super) enum Connection {
    Async(AsyncMetaConnection),
    Blocking(MetaConnection),
}

impl Connection {
    /// One on the runtime that this is called on.
    pub(super) async fn connect(address: &Address) -> Result<Self, Fault> {
        let connecting = tokio::time::timeout(CONNECTING, stream(address)).await;
        let connected = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(|error| unreachable(address, &error))?;
        Ok(Self::Async(AsyncMetaConnection::from_stream(stream)))
    }

    /// One that blocks its thread, for as long as `limit` at most.
    pub(super) fn connect_blocking(address: &Address, limit: Duration) -> Result<Self, Fault> {
        let connected = || {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for place in (address.host(), address.port()).to_socket_addrs()? {
                match Blocking::connect_timeout(&place, limit) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(stream);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let stream = connected().map_err(|error| unreachable(address, &error))?;
        Ok(Self::Blocking(MetaConnection::from_stream(stream)))
    }

    /// How long an exchange may block its thread.
    pub(super) fn limit(&mut self, limit: Duration) {
        if let Self::Blocking(connection) = self {
            // None at all would be no limit.
            connection.set_io_timeout(Some(limit.max(Duration::from_millis(1))));
        }
    }

    /// Sends commands in one go, and reads their answers, for as long as `timer` says; without one, anybody may poll. After an error, the connection is of no use any more: what is
    /// still to come would be taken for the answer to something else.
    pub(super) async fn exchange<const N: usize>(
        &mut self,
        commands: [Command; N],
        address: &Address,
        timer: Option<Duration>,
    ) -> Result<[Reply; N], Broken> {
        let commands = commands.map(|Command(command)| command);
        let answers = match self {
            Self::Async(connection) => match timer {
                Some(limit) => {
                    let answering = tokio::time::timeout(limit, connection.execute_batch(&commands)).await;
                    answering.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
                }
                None => connection.execute_batch(&commands).await,
            },
            Self::Blocking(connection) => connection.execute_batch(&commands),
        };
        let answers = answers.map_err(|error| failed(address, &error))?;
        let replies: Result<Vec<Reply>, Error> = answers
            .into_iter()
            .map(|answer| {
                let answer = parse_meta_result(answer)?;
                let outcome = match answer.rc {
                    ReturnCode::Hd | ReturnCode::Va | ReturnCode::Mn => Outcome::Done,
                    ReturnCode::En | ReturnCode::Nf => Outcome::Missing,
                    _ => Outcome::Other,
                };
                Ok(Reply { outcome, value: answer.value, cas: answer.cas, left: answer.ttl })
            })
            .collect();
        let replies = replies.map_err(|error| failed(address, &error))?;
        replies.try_into().map_err(|_| failed(address, &Error::Protocol("an answer is missing".into())))
    }
}

/// An exchange that failed; so did its connection.
#[derive(Debug)]
pub(super) struct Broken {
    fault: Fault,
    /// The server refuses to count what it has there: an empty value, or one of many kilobytes.
    pub(super) is_about_a_foreign_item: bool,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        broken.fault
    }
}

/// What commands go over.
pub(super) async fn stream(address: &Address) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((address.host(), address.port())).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Nothing was sent.
fn unreachable(address: &Address, error: &io::Error) -> Fault {
    Fault::failed(format!("{address}: {error}"))
}

const ACCEPTED: &str = "; accepted is memcached from 1.6 on, with its meta commands";
const UNAUTHENTICATED: &str =
    "; accepted is a server without user and password (-Y, -S), of which the client has none";

/// What was sent may have been executed: nobody tells how much of it was.
fn failed(address: &Address, error: &Error) -> Broken {
    let said = match error {
        // On a connection that blocks, the system calls it something else.
        Error::Io(late) if late.kind() == io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        error => error.to_string(),
    };
    let fault = |advice: &str| Fault::failed(format!("{address}: {said}{advice}")).maybe_executed();
    let is_about_a_foreign_item = matches!(error, Error::Rejected(said) if said.contains("non-numeric"));
    let fault = match error {
        Error::Rejected(_) if is_about_a_foreign_item => {
            fault("; it is something else than a lock, and is left alone")
        }
        Error::Rejected(said) if said.contains("unauthenticated") => fault(UNAUTHENTICATED).permanent(),
        Error::Rejected(_) => fault(ACCEPTED).permanent(),
        Error::Protocol(said) if said.starts_with("unknown return code") => fault(ACCEPTED).permanent(),
        Error::Server(said) if said.to_ascii_lowercase().contains("out of memory") => {
            fault("; the server has no room for the lock")
        }
        Error::Usage(_) => fault("").permanent(),
        _ => fault(""),
    };
    Broken { fault, is_about_a_foreign_item }
}
