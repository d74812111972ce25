//! What the cases of every server have to know of it.

use std::time::Duration;

use lock::{Locker, Settings};

use super::limits::{Limits, RowLimits};
use crate::callers::{LONG, eventually};

/// A thing that befalls a server of a kind, for about so long.
pub type Strike<S> = fn(&S, Duration);

/// What a scene plays on: what the cases of every server have to know of one.
pub trait Stage: Sized + Send + Sync + 'static {
    /// For people.
    const NAME: &'static str;
    /// How soon things have to happen.
    const LIMITS: Limits;
    /// Whether one that is [started](Self::start) has its locks again after it was killed.
    const KEEPS: bool;
    /// Whether who has to connect first, or to make a table, needs longer than is left out of account.
    const CONNECTS_SLOWLY: bool = false;
    /// What else befalls it in a storm.
    const STRIKES: &'static [(&'static str, Strike<Self>)] = &[];

    /// One as it is by default.
    fn start() -> Self;

    /// One that has its locks again after it was killed, where there is such a one.
    fn lasting() -> Self {
        Self::start()
    }

    /// The port that it listens on.
    fn port(&self) -> u16;

    /// Where it is for a locker, by way of a port.
    fn url_by(&self, port: u16) -> String;

    /// A client of its own: lockers of one process that were opened by URL are one.
    fn client(url: &str, settings: &Settings) -> Locker;

    /// The same, for a scene.
    fn client_of_scene(url: &str, settings: &Settings) -> Locker {
        Self::client(url, settings)
    }

    /// Stops it where it is.
    fn stop(&self);

    /// Lets it go on.
    fn go_on(&self);

    /// Kills it, and waits for its end.
    fn kill9(&self);

    /// Starts it again.
    fn restart(&self);

    /// How many connections it has.
    fn connections(&self) -> u64;

    /// Who has a key, as the server itself says.
    fn owner(&self, key: &str) -> Option<String>;

    /// A number that has grown when an acquire of a key has arrived, as the server itself says.
    fn arrived(&self, key: &str) -> u64;

    /// Waits until so many wait for a key; where nobody stands in line, until one has looked in vain.
    fn wait_in_line(&self, key: &str, count: u64);
}

/// A server on which those who wait stand in line.
pub trait Line: Stage {
    /// How many wait for a key.
    fn in_line(&self, key: &str) -> u64;

    /// Waits until so many wait for a key.
    fn wait_until_in_line(&self, key: &str, count: u64) {
        assert!(eventually(LONG, || self.in_line(key) == count), "{} in line", self.in_line(key));
    }
}

/// A server that has its locks again after it was killed, if it is to [last](Stage::lasting).
pub trait Keeps: Stage {
    /// A ttl that is not over when the server is back.
    const RESTART: Duration;
    /// How long a waiter may need after the release of one who had the lock before and after a restart.
    const RESUMED: Duration;

    /// One that is set up not to wait for its disk, where that is for us to say.
    fn hasty() -> Self {
        Self::lasting()
    }
}

/// A server that can end the connections of its clients.
pub trait Ends: Stage {
    /// Ends all connections of the library.
    fn end_sessions(&self);
}

/// A database, where others have sessions and transactions.
pub trait Database: Keeps + Ends + Line {
    /// How soon things have to happen while somebody's transaction keeps the row of a lock.
    const ROWS: RowLimits;
    /// What is said where there is no room for a connection.
    const FULL: &'static str;
    /// Somebody's connection.
    type Session: Send;

    /// One with little room for connections.
    fn small() -> Self;

    /// The first column of what it says to somebody who may do everything, row by row.
    fn rows(&self, sql: &str) -> Vec<String>;

    /// Where it is for a user for whom nothing is set aside.
    fn ordinary_url(&self) -> String;

    /// A connection, if there is room for it.
    fn open(url: &str) -> Option<Self::Session>;

    /// Nobody may write, or everybody may again.
    fn set_read_only(&self, yes: bool);

    /// Somebody's transaction keeps the row of a key until it is told to commit.
    fn keep_row(&self, key: &str) -> impl FnOnce() + Send;
}

/// A server that has no lock any more after it was killed, if it is as it is [by default](Stage::start).
pub trait Forgets: Stage {
    /// The ttl of what it forgets.
    const FORGOTTEN: Duration;
    /// How soon after its return a holder knows that.
    const KNOWS: Duration;
}
