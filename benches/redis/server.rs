//! The server that everybody is measured against: started for this run, gone with it.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use benches::{Result, part};
use redis::{Client, Connection};

const PROGRAM: &str = "redis-server";
const START: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    child: Child,
    port: u16,
    directory: PathBuf,
    /// Asks the server about itself; takes no part.
    control: Mutex<Connection>,
}

impl Server {
    /// On a free port, with nothing saved.
    pub(crate) fn start() -> Result<Self> {
        version()?;
        let directory = env::temp_dir().join(format!("lock-bench-redis-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = directory.to_str().ok_or("the temporary directory has a name that is not text")?;
        let mut child =
            part::command("server", &[&port.to_string(), place])?.stdout(Stdio::null()).spawn()?;
        match reached(&mut child, port) {
            Ok(control) => Ok(Self { child, port, directory, control: Mutex::new(control) }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// A connection for questions about the server.
    pub(crate) fn control(&self) -> MutexGuard<'_, Connection> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all keys, those that were left behind for others included.
    pub(crate) fn clear(&self) -> Result {
        Ok(redis::cmd("FLUSHALL").exec(&mut *self.control())?)
    }

    /// How much processor time it has used.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let told: String = redis::cmd("INFO").arg("cpu").query(&mut *self.control())?;
        let used = |name: &str| -> Result<f64> {
            let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            Ok(value.ok_or_else(|| format!("the server does not tell {name}"))?.trim().parse()?)
        };
        Ok(Duration::from_secs_f64(used("used_cpu_user")? + used("used_cpu_sys")?))
    }

    /// How many are connected, whoever asks included.
    pub(crate) fn connections(&self) -> Result<u32> {
        let told: String = redis::cmd("CLIENT").arg("LIST").query(&mut *self.control())?;
        Ok(u32::try_from(told.lines().count())?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is to be saved, and a server that is gone already is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// Which one is installed.
pub(crate) fn version() -> Result<String> {
    let told = Command::new(PROGRAM).arg("--version").output();
    let told = told.map_err(|error| format!("{PROGRAM}: {error}; apt-get install -y redis-server"))?;
    let text = String::from_utf8(told.stdout)?;
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(format!("server: {PROGRAM} {}, on this machine, nothing saved", version.unwrap_or("?")))
}

fn reached(child: &mut Child, port: u16) -> Result<Connection> {
    let client = Client::open(format!("redis://127.0.0.1:{port}/0"))?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Err(format!("{PROGRAM} ended at once: {status}").into());
        }
        match client.get_connection() {
            Ok(connection) => return Ok(connection),
            Err(error) if begun.elapsed() > START => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Becomes the server, in a process of its own, which like every part ends with the one that started it.
pub(crate) fn become_one(port: &str, directory: &str) -> Result {
    let mut server = Command::new(PROGRAM);
    server.args([
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--dir",
        directory,
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    Err(server.stdin(Stdio::null()).exec().into())
}
