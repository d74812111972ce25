//! The embedded default between processes: what the kernel does for a lock in a file.
//!
//! Where a test says that somebody is woken, looking again is set to once an hour: nothing else can have done it.

use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{self, Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock, Locker};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Far below the ttl of 30 s, the hour of looking again, and the last look at the end of a wait.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn another_process_is_refused_and_told_who_holds() -> Result {
    let store = Store::new("refused")?;
    let holder = store.holder("30s")?;
    assert!(store.lock()?.try_acquire()?.is_none());
    let error = store.lock()?.blocking(false).acquire().err().ok_or("it was acquired")?;
    assert_eq!(error.holder().and_then(|holder| holder.pid), Some(holder.process.id()));
    Ok(())
}

#[test]
fn a_release_wakes_a_waiter_in_another_process() -> Result {
    let store = Store::new("release")?;
    let holder = store.holder("30s")?;
    let waiter = store.waiter()?;
    let asked = Instant::now();
    holder.release()?;
    let (guard, at) = waiter.join().map_err(|_| "the waiter failed")??;
    let after = at.saturating_duration_since(asked);
    assert!(guard.is_held() && after < SOON, "woken after {after:?}");
    Ok(())
}

#[test]
fn a_killed_holders_lock_is_free_at_once() -> Result {
    let store = Store::new("killed")?;
    let mut holder = store.holder("30s")?;
    let token = store.lock()?.holder()?.and_then(|holder| holder.fencing_token).ok_or("nobody holds it")?;
    let waiter = store.waiter()?;
    holder.process.kill()?;
    let killed = Instant::now();
    let (guard, at) = waiter.join().map_err(|_| "the waiter failed")??;
    let after = at.saturating_duration_since(killed);
    assert!(after < SOON, "free after {after:?}");
    assert!(guard.fencing_token() > token);
    Ok(())
}

#[test]
fn a_stopped_holder_is_not_overtaken() -> Result {
    let store = Store::new("stopped")?;
    let holder = store.holder("200ms")?;
    holder.signal("STOP")?;
    let waited = store.lock()?.wait(Duration::from_millis(600)).acquire();
    holder.signal("CONT")?;
    assert!(waited.is_err_and(|error| error.is_locked()), "its ttl is over, and its process is not");
    holder.release()?;
    store.lock()?.wait(SOON).acquire()?.release()?;
    Ok(())
}

/// Not a test: what the others start as a process of its own. It holds the lock until its input ends.
#[test]
#[ignore = "started by the other tests, with a directory"]
fn hold() -> Result {
    let (Ok(directory), Ok(ttl)) = (env::var("HOLD_IN"), env::var("HOLD_FOR")) else { return Ok(()) };
    let guard = Locker::open(&format!("file://{directory}?ttl={ttl}"))?.lock("key").acquire()?;
    println!("\nheld");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    guard.release()?;
    println!("\nreleased");
    Ok(())
}

/// A directory of locks, removed at the end of the test.
struct Store(PathBuf);

impl Store {
    fn new(name: &str) -> io::Result<Self> {
        let directory = env::temp_dir().join(format!("lock-processes-{name}-{}", process::id()));
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }

    fn lock(&self) -> Result<Lock> {
        Ok(Locker::open(&format!("file://{}", self.0.display()))?.lock("key").retry(Duration::from_hours(1)))
    }

    /// Another process that holds the lock.
    fn holder(&self, ttl: &str) -> Result<Holder> {
        let mut process = Command::new(env::current_exe()?)
            .args(["--exact", "hold", "--ignored", "--nocapture"])
            .env("HOLD_IN", &self.0)
            .env("HOLD_FOR", ttl)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut holder = Holder { process, output: BufReader::new(output) };
        holder.says("held")?;
        Ok(holder)
    }

    /// A thread that waits for the lock, once it is seen to wait; and when it had it.
    fn waiter(&self) -> Result<thread::JoinHandle<Result<(Guard, Instant)>>> {
        let lock = self.lock()?;
        let waiter = thread::spawn(move || {
            let guard = lock.wait(SOON * 2).acquire()?;
            Ok((guard, Instant::now()))
        });
        // Long enough to be waiting; if it is not, the test checks a first look instead and still holds.
        thread::sleep(Duration::from_millis(100));
        Ok(waiter)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Holder {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn says(&mut self, word: &str) -> Result {
        for line in self.output.by_ref().lines() {
            if line?.ends_with(word) {
                return Ok(());
            }
        }
        Err(format!("the holder ended before it {word}").into())
    }

    fn release(mut self) -> Result {
        drop(self.process.stdin.take());
        self.says("released")
    }

    fn signal(&self, name: &str) -> Result {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill: {status}").into()) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
