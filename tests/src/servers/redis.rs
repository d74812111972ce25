//! `redis-server`, as the tests need it: killed, stopped, started again, and asked what it has done.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Child,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Resp, bound_to_us, end_of, free_port, resp::Reply, spawn};
use crate::scratch::Scratch;

/// How long it may take to start, or to load what it kept.
const STARTING: Duration = Duration::from_secs(10);
/// Answers come in less than a millisecond; a server that is kept busy by a test is asked otherwise.
const ANSWERING: Duration = Duration::from_secs(10);

/// A Redis of this test's own.
#[derive(Debug)]
pub struct RedisServer {
    arguments: Vec<String>,
    password: Option<String>,
    port: u16,
    scratch: Scratch,
    child: Mutex<Child>,
}

impl RedisServer {
    /// One that keeps nothing on disk.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with arguments, as `--maxmemory 1mb` in two parts.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(arguments: &[&str]) -> Self {
        let scratch = Scratch::new("redis");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let password = arguments.iter().position(|argument| argument == "--requirepass");
        let password = password.map(|place| arguments[place + 1].clone());
        // Somebody else may take the port meanwhile.
        let found = (0..20).find_map(|_| {
            let port = free_port();
            Some((port, started(&arguments, password.as_deref(), port, scratch.path())?))
        });
        let (port, child) = found.expect("a port that nobody takes");
        Self { arguments, password, port, scratch, child: Mutex::new(child) }
    }

    /// Where it is, for a locker: without a prefix, which is the locker's.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by way of another port, a proxy's.
    pub fn url_by(&self, port: u16) -> String {
        let secret = self.password.as_ref().map_or_else(String::new, |password| format!(":{password}@"));
        format!("redis://{secret}127.0.0.1:{port}/0")
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The directory that it keeps its data in.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// A file that it listens on as well, if it was started with `--unixsocket socket`.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("socket")
    }

    /// A connection to it.
    ///
    /// # Errors
    /// If it is not running.
    pub fn connect(&self) -> io::Result<Resp> {
        connect(self.port, self.password.as_deref())
    }

    /// Sends it a command.
    ///
    /// # Errors
    /// If it is not running, and what it says is an error.
    pub fn try_ask(&self, command: &[&str]) -> io::Result<Reply> {
        self.connect()?.ask(command)
    }

    /// Sends it a command that has to succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn ask(&self, command: &[&str]) -> Reply {
        self.try_ask(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// A field of `INFO section`.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        field_of(self.ask(&["INFO", section]).text(), field)
    }

    /// A number of `INFO section`.
    ///
    /// # Panics
    /// If there is none.
    pub fn number(&self, section: &str, field: &str) -> u64 {
        self.info(section, field).and_then(|text| text.parse().ok()).unwrap()
    }

    /// How often a command was executed since [`forget_calls`](Self::forget_calls), also by scripts.
    pub fn command_calls(&self, command: &str) -> u64 {
        let statistics = self.info("commandstats", &format!("cmdstat_{command}"));
        let calls = statistics.and_then(|text| text.split(',').next()?.strip_prefix("calls=")?.parse().ok());
        calls.unwrap_or(0)
    }

    /// Counts from zero again.
    pub fn forget_calls(&self) {
        self.ask(&["CONFIG", "RESETSTAT"]);
    }

    /// Kills it with SIGKILL, and waits for its end.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill9(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops it where it is, with SIGSTOP.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on, with SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.lock().unwrap()), signal).unwrap();
    }

    /// Starts it again after [`kill9`](Self::kill9), on its port and with what is in its directory.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let mut child = self.child.lock().unwrap();
        let again = started(&self.arguments, self.password.as_deref(), self.port, self.scratch.path());
        *child = again.expect("its port is still free");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may be killed already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn connect(port: u16, password: Option<&str>) -> io::Result<Resp> {
    let mut connection = Resp::connect(port, ANSWERING)?;
    if let Some(password) = password {
        connection.ask(&["AUTH", password])?;
    }
    Ok(connection)
}

fn field_of(text: &str, field: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.map(str::to_owned)
}

/// A server that answers; `None` if it ended because its port was taken.
fn started(arguments: &[String], password: Option<&str>, port: u16, directory: &Path) -> Option<Child> {
    let log = directory.join("log");
    let mut command = bound_to_us("redis-server", "redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--logfile", "log"]);
    command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(directory);
    command.args(arguments).current_dir(directory);
    let output = File::create(directory.join("output")).unwrap();
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = spawn(command).unwrap_or_else(|error| {
        panic!("setpriv could not be started: {error}; apt-get install -y util-linux redis-server")
    });
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let said = end_of(&log) + &end_of(&directory.join("output"));
            assert!(said.contains("in use"), "redis-server ended, {status}: {said}");
            return None;
        }
        if is_ready(port, password, child.id()) {
            return Some(child);
        }
        assert!(begin.elapsed() < STARTING, "redis-server did not start: {}", end_of(&log));
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether it is the server that was started, and not another one on its port, that answers.
fn is_ready(port: u16, password: Option<&str>, process: u32) -> bool {
    let answer = connect(port, password).and_then(|mut connection| {
        connection.ask(&["PING"])?;
        connection.ask(&["INFO", "server"])
    });
    answer.is_ok_and(|info| field_of(info.text(), "process_id") == Some(process.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_killed_and_started_again_on_its_port_with_what_it_kept() {
        let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
        server.ask(&["SET", "k", "v"]);
        server.kill9();
        assert!(server.connect().is_err());
        server.restart();
        assert_eq!(server.ask(&["GET", "k"]).text(), "v");
    }

    #[test]
    fn a_stopped_server_answers_when_it_goes_on() {
        let server = RedisServer::start();
        let mut connection = Resp::connect(server.port(), Duration::from_millis(50)).unwrap();
        server.stop();
        assert!(connection.ask(&["PING"]).is_err());
        server.go_on();
        assert_eq!(server.ask(&["PING"]).text(), "PONG");
    }

    #[test]
    fn what_it_did_is_counted() {
        let server = RedisServer::with(&["--requirepass", "secret"]);
        server.forget_calls();
        (0..3).for_each(|_| drop(server.ask(&["GET", "k"])));
        assert_eq!((server.command_calls("get"), server.command_calls("keys")), (3, 0));
        assert_eq!(server.number("server", "tcp_port"), u64::from(server.port()));
    }
}
