//! Real servers, started by the tests themselves: each on a free port of this machine, with a directory of its own, and
//! killed at the end, also when the test process is.

mod kept;
mod mariadb;
mod memcached;
mod mysql_session;
mod pgbouncer;
mod postgres;
mod redis;
mod resp;
mod session;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsStr,
    hash::{BuildHasher, RandomState},
    io,
    net::TcpListener,
    path::Path,
    process::{Child, Command},
    sync::{OnceLock, mpsc},
    thread,
};

pub use self::{
    mariadb::MariaDbServer,
    memcached::MemcachedServer,
    mysql_session::MySqlSession,
    pgbouncer::{PgbouncerServer, Pooling},
    postgres::{PostgresServer, give_to_postgres},
    redis::RedisServer,
    resp::Resp,
    session::Session,
};

/// A command that is killed when this process ends, however it ends.
///
/// # Panics
/// If the program is not installed; `package` is the Debian package that it comes with.
fn bound_to_us(program: &str, package: &str) -> Command {
    assert!(is_installed(program), "{program} is not installed: apt-get install -y {package}");
    bound_as(None, program)
}

/// The same as another user, where this one may become him: a program that does so by itself is not bound to us any more.
fn bound_as(user: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user.filter(|_| rustix::process::geteuid().is_root()) {
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Starts a command from a thread that lasts as long as this process.
///
/// The kernel ends a child with the *thread* that started it, and a test's thread ends with its test.
fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, mpsc::Sender<io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                drop(answer.send(command.spawn()));
            }
        });
        sender
    });
    let (answer, answered) = mpsc::channel();
    starter.send((command, answer)).unwrap();
    answered.recv().unwrap()
}

/// A port of this machine on which nobody listens, and that no outgoing connection is given by the kernel: a server can
/// be started on it again later.
pub fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(RandomState::new().hash_one(()) % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The end of a server's log, for a test that fails because of it.
fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
