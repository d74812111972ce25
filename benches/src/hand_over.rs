//! How long a lock takes from who releases it to who waits for it in another process: a new owner every time.

use std::{
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Child, ChildStdin, ChildStdout},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::runtime::Runtime;

use crate::{
    Result,
    contender::{Blocking, Entry},
    machine, part,
    rounds::{Run, nanos},
    stage::{Player, Threads, players},
};

/// The key of asynchronous callers, for a contender to make its own of.
pub const KEY: &str = "hand-over";
/// The key of callers that block.
const BLOCKING_KEY: &str = "lock:hand-over:blocking";
/// For the other process to fall asleep over its wait.
const LEAST_ASLEEP: Duration = Duration::from_millis(5);
/// Of those who poll: a lock is released at any moment of it.
const BEAT: Duration = Duration::from_millis(100);

/// A hand-over from a task of this process.
pub fn asynchronous<'a>(runtime: &'a Runtime, player: &'a Player, waiter: &'a mut Waiter) -> Run<'a> {
    let mut round = 0;
    Box::new(move || {
        round += 1;
        let (released, asleep, mut orders) = (Arc::<AtomicU64>::default(), asleep(round), waiter.orders()?);
        let (contender, key, told) = (player.contender.clone(), player.key.clone(), released.clone());
        let section = Box::pin(async move {
            // If the other process is gone, its answer is missed afterwards.
            drop(orders.write_all(b"\n"));
            tokio::time::sleep(asleep).await;
            told.store(machine::boot_time(), Relaxed);
        });
        runtime.block_on(runtime.spawn(async move { contender.locked(&key, section).await }))??;
        waiter.had_after(released.load(Relaxed))
    })
}

/// A hand-over from a thread of this process.
pub fn synchronous<'a>(contender: &'a dyn Blocking, waiter: &'a mut Waiter) -> Run<'a> {
    let mut round = 0;
    Box::new(move || {
        round += 1;
        let (mut released, mut orders) = (0, waiter.orders()?);
        contender.locked(BLOCKING_KEY, &mut || {
            drop(orders.write_all(b"\n"));
            thread::sleep(asleep(round));
            released = machine::boot_time();
        })?;
        waiter.had_after(released)
    })
}

/// The same for everybody in a round, and spread evenly over the rounds.
pub fn asleep(round: u32) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_75;
    LEAST_ASLEEP + BEAT.mul_f64((f64::from(round) * GOLDEN).fract())
}

/// The process that waits: for each line it is sent it waits for the lock, and tells when it had it.
#[derive(Debug)]
pub struct Waiter {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Waiter {
    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn start(name: &str, url: &str) -> Result<Self> {
        let mut child = part::command("wait", &[name, url])?.spawn()?;
        let orders = child.stdin.take().ok_or("no way to the other process")?;
        let told = BufReader::new(child.stdout.take().ok_or("no way from the other process")?);
        Ok(Self { child, orders, told })
    }

    /// A way to send it a line from within a section.
    fn orders(&self) -> Result<std::fs::File> {
        use std::os::fd::AsFd;
        Ok(self.orders.as_fd().try_clone_to_owned()?.into())
    }

    fn had_after(&mut self, released: u64) -> Result<f64> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        let had: u64 = line.trim().parse().map_err(|_| format!("the other process told {line:?}"))?;
        let passed =
            had.checked_sub(released).ok_or("the other process had the lock before it was released")?;
        Ok(nanos(Duration::from_nanos(passed)))
    }

    /// Lets it end.
    ///
    /// # Errors
    /// If its end cannot be waited for.
    pub fn end(mut self) -> Result {
        drop(self.orders);
        self.child.wait()?;
        Ok(())
    }
}

/// The part of the other process, where callers are asynchronous.
///
/// # Errors
/// If the lock cannot be had.
pub fn wait(entry: Entry, url: &str) -> Result {
    let runtime = Threads::Many.runtime()?;
    let player = players(&runtime, &[entry], url, KEY)?.remove(0);
    answer(|had| {
        let (contender, key, had) = (player.contender.clone(), player.key.clone(), Arc::clone(had));
        let section = Box::pin(async move { had.store(machine::boot_time(), Relaxed) });
        runtime.block_on(runtime.spawn(async move { contender.locked(&key, section).await }))?
    })
}

/// The same where callers block.
///
/// # Errors
/// If the lock cannot be had.
pub fn wait_blocking(contender: &dyn Blocking) -> Result {
    answer(|had| contender.locked(BLOCKING_KEY, &mut || had.store(machine::boot_time(), Relaxed)))
}

fn answer(mut lock: impl FnMut(&Arc<AtomicU64>) -> Result) -> Result {
    let had = Arc::<AtomicU64>::default();
    for order in stdin().lines() {
        order?;
        lock(&had)?;
        writeln!(stdout(), "{}", had.load(Relaxed))?;
    }
    Ok(())
}
