//! `pgbouncer` before a PostgreSQL, as the tests need it: in each of its modes, killed and started again.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Child,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::{
    PostgresServer, end_of, free_port,
    postgres::{as_postgres, give_to_postgres},
    spawn,
};
use crate::scratch::Scratch;

const STARTING: Duration = Duration::from_secs(10);

/// How it deals out its connections to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Each client has one of its own, for as long as it is connected.
    Session,
    /// For a transaction at a time.
    Transaction,
    /// For a statement at a time.
    Statement,
}

/// A pgbouncer of this test's own.
#[derive(Debug)]
pub struct PgbouncerServer {
    port: u16,
    scratch: Scratch,
    child: Mutex<Child>,
}

impl PgbouncerServer {
    /// One that has so many connections to the server. `ignores`: what a client says of its session when it connects is
    /// ignored, and not refused.
    ///
    /// # Panics
    /// If it does not start.
    pub fn before(server: &PostgresServer, pooling: Pooling, connections: u32, ignores: bool) -> Self {
        let scratch = Scratch::new("pgbouncer");
        let ignored = if ignores { "extra_float_digits,options" } else { "" };
        let mode = match pooling {
            Pooling::Session => "session",
            Pooling::Transaction => "transaction",
            Pooling::Statement => "statement",
        };
        // Somebody else may take the port meanwhile.
        let found = (0..20).find_map(|_| {
            let port = free_port();
            let mut settings = String::new();
            // Writing to a string cannot fail.
            let _ = write!(
                settings,
                "[databases]\npostgres = host=127.0.0.1 port={} dbname=postgres user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
                 pool_mode = {mode}\ndefault_pool_size = {connections}\nmax_client_conn = 1000\n\
                 server_login_retry = 1\nignore_startup_parameters = {ignored}\n",
                server.port()
            );
            fs::write(scratch.path().join("ini"), settings).unwrap();
            give_to_postgres(scratch.path());
            Some((port, started(port, scratch.path())?))
        });
        let (port, child) = found.expect("a port that nobody takes");
        Self { port, scratch, child: Mutex::new(child) }
    }

    /// Where it is, for a locker.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
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

    /// Starts it again after [`kill9`](Self::kill9), on its port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        *self.child.lock().unwrap() =
            started(self.port, self.scratch.path()).expect("its port is still free");
    }
}

impl Drop for PgbouncerServer {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may be killed already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn program() -> PathBuf {
    let found = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file());
    found.expect("pgbouncer is not installed: apt-get install -y pgbouncer")
}

/// A pooler that answers; `None` if it ended because its port was taken.
fn started(port: u16, directory: &Path) -> Option<Child> {
    let log = directory.join("log");
    let output = File::create(&log).unwrap();
    let mut command = as_postgres(&program());
    command.arg(directory.join("ini")).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = spawn(command).unwrap();
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let said = end_of(&log);
            assert!(said.contains("in use"), "pgbouncer ended, {status}: {said}");
            return None;
        }
        let log_says = fs::read_to_string(&log).unwrap_or_default();
        if log_says.contains("process up") && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        assert!(begin.elapsed() < STARTING, "pgbouncer did not start: {}", end_of(&log));
        thread::sleep(Duration::from_millis(5));
    }
}
