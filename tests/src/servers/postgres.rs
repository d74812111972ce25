//! PostgreSQL, as the tests need it: killed, stopped, started again, and asked what it has done.

use std::{
    fs::File,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Session, bound_as, end_of, free_port, kept::Kept, spawn};
use crate::scratch::Scratch;

/// How long it may take to start, after a crash also.
const STARTING: Duration = Duration::from_secs(20);

/// What a primary and a standby say when they are.
const READY: [&str; 2] = [
    "database system is ready to accept connections",
    "database system is ready to accept read-only connections",
];

/// A PostgreSQL of this test's own.
#[derive(Debug)]
pub struct PostgresServer {
    settings: Vec<String>,
    port: u16,
    scratch: Scratch,
    child: Mutex<Child>,
    kept: Kept<Session>,
}

impl PostgresServer {
    /// One as it is by default, but that it does not wait for the disk.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with settings, as `max_connections=20`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(settings: &[&str]) -> Self {
        let scratch = Scratch::new("postgres");
        give_to_postgres(scratch.path());
        let data = scratch.path().join("data");
        let mut initdb = as_postgres(&program("initdb"));
        initdb.arg("-D").arg(&data).args("-U postgres -A trust --no-sync -E UTF8 --locale=C".split(' '));
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        Self::on(scratch, settings.iter().map(ToString::to_string).collect())
    }

    fn on(scratch: Scratch, settings: Vec<String>) -> Self {
        // Somebody else may take the port meanwhile.
        let found = (0..20).find_map(|_| {
            let port = free_port();
            Some((port, started(&settings, port, scratch.path())?))
        });
        let (port, child) = found.expect("a port that nobody takes");
        Self { settings, port, scratch, child: Mutex::new(child), kept: Kept::default() }
    }

    /// Another one that follows it, until it is promoted by `pg_promote()`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn standby_of(primary: &Self) -> Self {
        let scratch = Scratch::new("postgres");
        give_to_postgres(scratch.path());
        let mut copy = as_postgres(&program("pg_basebackup"));
        copy.arg("-D").arg(scratch.path().join("data"));
        copy.args(["-R", "-c", "fast", "-h", "127.0.0.1", "-U", "postgres", "-p", &primary.port.to_string()]);
        let made = copy.output().unwrap();
        assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
        Self::on(scratch, primary.settings.clone())
    }

    /// Where it is, for a locker: without a prefix, which is the locker's.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by way of another port, a proxy's.
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    /// Where another of its databases is.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A session of somebody else on it.
    ///
    /// # Panics
    /// If it cannot be connected to.
    pub fn session(&self) -> Session {
        Session::open(&self.url()).unwrap()
    }

    /// The first column of what it says to a session of somebody else, row by row; the session is kept.
    ///
    /// # Panics
    /// If it cannot be connected to, or refuses.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.kept.ask(|| self.session(), |session| session.ask(sql))
    }

    /// What `psql` says to a command that has to succeed: a line per row.
    ///
    /// # Panics
    /// If it does not.
    pub fn ask(&self, sql: &str) -> String {
        let port = self.port.to_string();
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", sql]);
        let said = psql.output().expect("psql: apt-get install -y postgresql-client");
        assert!(said.status.success(), "{sql}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// Kills it with SIGKILL, and waits for its end and that of all its processes.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill9(&self) {
        let mut child = self.child.lock().unwrap();
        let parts = parts(&child);
        child.kill().unwrap();
        child.wait().unwrap();
        for part in parts {
            // It may have ended already.
            let _ = kill_process(part, Signal::KILL);
        }
    }

    /// Stops all of it where it is, with SIGSTOP.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on, with SIGCONT.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// The number of the shared memory by which it marks its data as in use, as the last line but one of its
    /// `postmaster.pid` says (<https://github.com/postgres/postgres/blob/master/src/include/utils/pidfile.h>).
    pub(super) fn mark(&self) -> Option<u32> {
        let said = std::fs::read_to_string(self.scratch.path().join("data/postmaster.pid")).ok()?;
        said.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok()
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.lock().unwrap();
        for part in parts(&child).into_iter().chain([Pid::from_child(&child)]) {
            // A part may have ended meanwhile.
            let _ = kill_process(part, signal);
        }
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

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may be killed already. Its processes end with it.
        let _ = child.kill();
        let _ = child.wait();
        // What marks its data as in use is the kernel's, who keeps 4,096 of them, and outlives who is killed.
        if let Some(mark) = self.mark() {
            let _ = Command::new("ipcrm").args(["-m", &mark.to_string()]).status();
        }
    }
}

/// The processes that a server has started.
fn parts(child: &Child) -> Vec<Pid> {
    let id = child.id();
    let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Where Debian keeps the programs of the newest version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{name} is not installed: apt-get install -y postgresql"))
}

/// It refuses to run as root.
pub(super) fn as_postgres(program: &Path) -> Command {
    let mut command = bound_as(Some("postgres"), program);
    command.current_dir("/");
    command
}

/// Makes the user that PostgreSQL runs as the owner of a directory and of what is in it.
///
/// # Panics
/// If there is none.
pub fn give_to_postgres(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown").args(["-R", "postgres:postgres"]).arg(directory).status().unwrap();
        assert!(given.success(), "there is no user postgres: apt-get install -y postgresql");
    }
}

/// A server that answers; `None` if it ended because its port was taken.
fn started(settings: &[String], port: u16, directory: &Path) -> Option<Child> {
    let log = directory.join("log");
    let output = File::create(&log).unwrap();
    let mut command = as_postgres(&program("postgres"));
    command.arg("-D").arg(directory.join("data"));
    let directory = directory.display();
    let own = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        format!("unix_socket_directories={directory}"),
        "fsync=off".into(),
        // Its files in /dev/shm would outlive who is killed.
        "dynamic_shared_memory_type=mmap".into(),
    ];
    for setting in own.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = spawn(command).unwrap();
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let said = end_of(&log);
            assert!(said.contains("in use"), "postgres ended, {status}: {said}");
            return None;
        }
        let log_says = std::fs::read_to_string(&log).unwrap_or_default();
        if READY.iter().any(|ready| log_says.contains(ready))
            && TcpStream::connect(("127.0.0.1", port)).is_ok()
        {
            return Some(child);
        }
        assert!(begin.elapsed() < STARTING, "postgres did not start: {}", end_of(&log));
        thread::sleep(Duration::from_millis(5));
    }
}
