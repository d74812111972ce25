//! `memcached`, as the tests need it: killed, stopped, started again, and asked what it has done.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Child,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{bound_to_us, end_of, free_port, spawn};
use crate::scratch::Scratch;

/// How long it may take to start.
const STARTING: Duration = Duration::from_secs(10);
/// Answers come in less than a millisecond.
const ANSWERING: Duration = Duration::from_secs(10);

/// A memcached of this test's own.
#[derive(Debug)]
pub struct MemcachedServer {
    arguments: Vec<String>,
    port: u16,
    scratch: Scratch,
    child: Mutex<Child>,
}

impl MemcachedServer {
    /// One as it comes: 64 MB, and what is used least is evicted.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with arguments, as `-m 2` in two parts.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(arguments: &[&str]) -> Self {
        let scratch = Scratch::new("memcached");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        // Somebody else may take the port meanwhile.
        let found = (0..20).find_map(|_| {
            let port = free_port();
            Some((port, started(&arguments, port, &scratch)?))
        });
        let (port, child) = found.expect("a port that nobody takes");
        Self { arguments, port, scratch, child: Mutex::new(child) }
    }

    /// Where it is, for a locker: without a prefix, which is the locker's.
    pub fn url(&self) -> String {
        url_by(self.port)
    }

    /// The same by way of another port, a proxy's.
    pub fn url_by(&self, port: u16) -> String {
        url_by(port)
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A connection to it.
    ///
    /// # Errors
    /// If it is not running.
    pub fn connect(&self) -> io::Result<Text> {
        Text::connect(self.port)
    }

    /// Sends it a command, and returns the first line of its answer; of one with a value, the value.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn ask(&self, command: &str) -> String {
        self.connect()
            .and_then(|mut text| text.ask(command))
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// What it says about itself under a name, since it was started.
    ///
    /// # Panics
    /// If it says nothing.
    pub fn stat(&self, name: &str) -> u64 {
        let all = self.connect().and_then(|mut text| text.stats()).unwrap();
        all.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok()).unwrap()
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

    /// Starts it again after [`kill9`](Self::kill9), on its port and with nothing in it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let mut child = self.child.lock().unwrap();
        *child = started(&self.arguments, self.port, &self.scratch).expect("its port is still free");
    }
}

impl Drop for MemcachedServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may be killed already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn url_by(port: u16) -> String {
    format!("memcache://127.0.0.1:{port}")
}

/// A server that answers; `None` if it ended because its port was taken.
fn started(arguments: &[String], port: u16, scratch: &Scratch) -> Option<Child> {
    let log = scratch.path().join("log");
    let mut command = bound_to_us("memcached", "memcached");
    // As root it wants to be told that it may run as root.
    command.args(["-u", "root", "-l", "127.0.0.1", "-p", &port.to_string()]).args(arguments);
    let output = File::create(&log).unwrap();
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = spawn(command).unwrap_or_else(|error| {
        panic!("setpriv could not be started: {error}; apt-get install -y util-linux memcached")
    });
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let said = end_of(&log);
            assert!(said.contains("in use"), "memcached ended, {status}: {said}");
            return None;
        }
        if is_ready(port, child.id()) {
            return Some(child);
        }
        assert!(begin.elapsed() < STARTING, "memcached did not start: {}", end_of(&log));
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether it is the server that was started, and not another one on its port, that answers.
fn is_ready(port: u16, process: u32) -> bool {
    let Ok(mut text) = Text::connect(port) else { return false };
    // One that wants a password says nothing about itself.
    text.ask("mn").is_ok_and(|said| said.contains("unauthenticated"))
        || text.stats().is_ok_and(|stats| stats.contains(&("pid".to_owned(), process.to_string())))
}

/// A connection that speaks the protocol as text.
#[derive(Debug)]
pub struct Text(BufReader<TcpStream>);

impl Text {
    fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWERING))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command, and returns the first line of its answer; of one with a value, the value.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn ask(&mut self, command: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        let line = self.line()?;
        let Some(length) = line.strip_prefix("VA ").and_then(|rest| rest.split(' ').next()?.parse().ok())
        else {
            return Ok(line);
        };
        let mut value = vec![0; length];
        self.0.read_exact(&mut value)?;
        self.line()?;
        String::from_utf8(value).map_err(io::Error::other)
    }

    fn stats(&mut self) -> io::Result<Vec<(String, String)>> {
        self.0.get_mut().write_all(b"stats\r\n")?;
        let mut all = Vec::new();
        loop {
            let line = self.line()?;
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("STAT"), Some(name), Some(value)) => all.push((name.to_owned(), value.to_owned())),
                _ => return Ok(all),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
