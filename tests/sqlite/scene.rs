//! A database file, those who use it, and somebody else's transaction.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use lock::{Locker, Settings, backends::Sqlite};
use lock_core::conformance::{Peer, Side, pulse};
pub(crate) use tests::callers::*;
use tests::{
    journal::Journal,
    scratch::Scratch,
    subjects::{crowd, holder},
};

/// A directory of a test's own, with a database in it and a history of holds.
pub(crate) struct Scene {
    pub(crate) scratch: Scratch,
    pub(crate) journal: Journal,
    settings: Settings,
}

impl Scene {
    pub(crate) fn new(ttl: Duration) -> Self {
        pulse::start();
        let scratch = Scratch::new("sqlite");
        let journal = Journal::at(scratch.path().join("history"));
        let settings = Settings {
            ttl: Some(ttl),
            retry: Some(ms(20)),
            prefix: Some("lock:".into()),
            ..Settings::default()
        };
        Self { scratch, journal, settings }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.scratch.path().join("app.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    /// A client of its own: lockers of one process that were opened by URL are one.
    pub(crate) fn client(&self) -> Locker {
        self.client_of(&self.url())
    }

    pub(crate) fn client_of(&self, url: &str) -> Locker {
        Locker::with_backend_and(Sqlite::open(url).unwrap(), &self.settings).unwrap()
    }

    /// Another process.
    pub(crate) fn peer(&self, side: Side) -> Peer {
        Peer::start(holder(&self.url()), &self.settings, side).unwrap()
    }

    /// The same, in the directory of the file and with a path relative to it.
    pub(crate) fn peer_inside(&self) -> Peer {
        let mut command = holder("sqlite://app.db");
        command.current_dir(self.scratch.path());
        Peer::start(command, &self.settings, Side::Blocking).unwrap()
    }

    /// The same, in a container whose clock since the start of the machine is another one.
    pub(crate) fn peer_of_another_time(&self) -> Peer {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--time", "--boottime", "1000000", "--fork", "--kill-child", "--"]);
        let holder = holder(&self.url());
        command.arg(holder.get_program()).args(holder.get_args());
        Peer::start(command, &self.settings, Side::Blocking).unwrap()
    }

    /// A process full of callers.
    pub(crate) fn crowd(&self, side: Side) -> Peer {
        Peer::start(crowd(&self.url()), &self.settings, side).unwrap()
    }

    /// What `sqlite3` says to statements that have to succeed: a line per row.
    pub(crate) fn ask(&self, sql: &str) -> String {
        let mut command = shell();
        let said =
            command.args(["-cmd", ".timeout 5000"]).arg(self.path()).arg(format!(" {sql}")).output().unwrap();
        assert!(said.status.success(), "{sql}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).lines().last().unwrap_or_default().to_owned()
    }

    /// A transaction of another program, which keeps everybody else from writing.
    pub(crate) fn transaction(&self) -> Transaction {
        let mut command = shell();
        command.arg("-bail").args(["-cmd", ".timeout 5000"]).arg(self.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"BEGIN IMMEDIATE;\nSELECT 'begun';\n").unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("begun") {
            assert!(output.read_line(&mut said).unwrap() > 0, "sqlite3 did not begin: {said}");
        }
        Transaction { child, input: Some(input) }
    }
}

fn shell() -> Command {
    let found = Command::new("sqlite3").arg("-version").output();
    assert!(found.is_ok(), "sqlite3 is not installed: apt-get install -y sqlite3");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "sqlite3"]);
    command
}

pub(crate) struct Transaction {
    child: Child,
    input: Option<ChildStdin>,
}

impl Transaction {
    pub(crate) fn commit(mut self) {
        let mut input = self.input.take().unwrap();
        input.write_all(b"COMMIT;\n").unwrap();
        drop(input);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
