//! MariaDB, as the tests need it: killed, stopped, started again, and asked what it has done.

use std::{
    fs::File,
    net::TcpStream,
    path::Path,
    process::{Child, Command},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{MySqlSession, bound_as, bound_to_us, end_of, free_port, kept::Kept, spawn};
use crate::scratch::Scratch;

/// How long it may take to start, after a crash also.
const STARTING: Duration = Duration::from_secs(20);
const PACKAGE: &str = "mariadb-server";

/// A MariaDB of this test's own, with an empty database `shop` and its user `app`.
#[derive(Debug)]
pub struct MariaDbServer {
    settings: Vec<String>,
    port: u16,
    scratch: Scratch,
    child: Mutex<Child>,
    kept: Kept<MySqlSession>,
}

impl MariaDbServer {
    /// One as it is by default, but that it does not wait for the disk.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with settings, as `--max-connections=20`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(settings: &[&str]) -> Self {
        let scratch = Scratch::new("mariadb");
        give_to_mysql(scratch.path());
        let mut install = bound_to_us("mariadb-install-db", PACKAGE);
        install.arg("--no-defaults").arg(format!("--datadir={}", scratch.path().join("data").display()));
        // A directory of its own also for what is temporary: several of them at once remove each other's.
        install.arg(format!("--tmpdir={}", scratch.path().display()));
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]).args(as_mysql());
        let made = install.output().unwrap();
        assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        // Somebody else may take the port meanwhile.
        let found = (0..20).find_map(|_| {
            let port = free_port();
            Some((port, started(&settings, port, scratch.path())?))
        });
        let (port, child) = found.expect("a port that nobody takes");
        let server = Self { settings, port, scratch, child: Mutex::new(child), kept: Kept::default() };
        server.ask("CREATE DATABASE shop; CREATE USER app@127.0.0.1; GRANT ALL ON shop.* TO app@127.0.0.1");
        server
    }

    /// Where it is, for a locker: without a prefix, which is the locker's.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by way of another port, a proxy's.
    pub fn url_by(&self, port: u16) -> String {
        format!("mysql://app@127.0.0.1:{port}/shop")
    }

    /// A session of a user who may do everything.
    ///
    /// # Panics
    /// If there is none to be had.
    pub fn session(&self) -> MySqlSession {
        MySqlSession::open(&self.url().replace("app@", "root@")).unwrap()
    }

    /// The first column of what it says to somebody who may do everything, row by row; the session is kept.
    ///
    /// # Panics
    /// If it cannot be connected to, or refuses.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.kept.ask(|| self.session(), |session| session.ask(sql))
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What `mariadb` says to statements that have to succeed: a line per row.
    ///
    /// # Panics
    /// If one does not.
    pub fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    /// The same, or what it says is wrong.
    ///
    /// # Errors
    /// What the server says to a statement that it refuses.
    pub fn try_ask(&self, sql: &str) -> Result<String, String> {
        // The socket stays its own when a test stops whoever comes by the port.
        let socket = format!("--socket={}", socket(self.scratch.path()));
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names", "--raw"]);
        client.args(["--default-character-set=utf8mb4", &socket, "--execute", sql]);
        let said = client.output().expect("mariadb: apt-get install -y mariadb-client");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if said.status.success() { Ok(text(&said.stdout)) } else { Err(text(&said.stderr)) }
    }

    /// A number of `SHOW GLOBAL STATUS`.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn status(&self, name: &str) -> u64 {
        let said = self.ask(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
        said.split_whitespace().last().unwrap().parse().unwrap()
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

    /// Starts it again after [`kill9`](Self::kill9), on its port and with what it has written.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let mut child = self.child.lock().unwrap();
        let begin = Instant::now();
        *child = loop {
            // What is left of its last life may still be on its way out.
            if let Some(again) = started(&self.settings, self.port, self.scratch.path()) {
                break again;
            }
            assert!(begin.elapsed() < STARTING, "its port is still free");
            thread::sleep(Duration::from_millis(20));
        };
    }
}

impl Drop for MariaDbServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may be killed already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// It refuses to run as root.
fn as_mysql() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=mysql")
}

fn give_to_mysql(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown").arg("mysql:mysql").arg(directory).status().unwrap();
        assert!(given.success(), "there is no user mysql: apt-get install -y {PACKAGE}");
    }
}

fn socket(directory: &Path) -> String {
    directory.join("socket").display().to_string()
}

/// A server that answers; `None` if it ended because its port was taken.
fn started(settings: &[String], port: u16, directory: &Path) -> Option<Child> {
    let log = directory.join("log");
    let output = File::create(&log).unwrap();
    let mut command = bound_as(Some("mysql"), "mariadbd");
    command.arg("--no-defaults");
    command.arg(format!("--datadir={}", directory.join("data").display()));
    command.arg(format!("--tmpdir={}", directory.display()));
    command.arg(format!("--pid-file={}", directory.join("pid").display()));
    command.arg(format!("--socket={}", socket(directory))).arg(format!("--port={port}"));
    command.args([
        "--bind-address=127.0.0.1",
        "--skip-log-bin",
        "--performance-schema=off",
        "--skip-name-resolve",
    ]);
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync"]);
    command.args(settings).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = spawn(command).unwrap();
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let said = end_of(&log);
            assert!(said.contains("in use"), "mariadbd ended, {status}: {said}");
            return None;
        }
        let log_says = std::fs::read_to_string(&log).unwrap_or_default();
        if log_says.contains("ready for connections") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        assert!(begin.elapsed() < STARTING, "mariadbd did not start: {}", end_of(&log));
        thread::sleep(Duration::from_millis(5));
    }
}
