//! Files, two processes: how long a lock takes from who releases it to who waits for it.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write, stdin, stdout},
    path::Path,
    process::{Child, ChildStdin, ChildStdout},
    thread,
    time::Duration,
};

use benches::{
    Result, machine, part,
    report::{Demand, Row},
    rounds::{Run, interleaved},
};
use lock::Locker;

use crate::{Effort, file::Scratch};

/// How long the original sleeps between two looks.
const POLL: f64 = 100e6;
const KEY: &str = "hand-over";
/// For the other process to fall asleep over its wait.
const ASLEEP: Duration = Duration::from_millis(4);

pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    let directory = Scratch::new("processes")?;
    let path = directory.0.to_str().ok_or("the temporary directory has a name that is not text")?;
    let (mut ours, mut floor) = (Waiter::start("lock", path)?, Waiter::start("flock", path)?);
    let lock = directory.locker().lock(KEY);
    let file = open(path)?;
    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| {
            let guard = lock.acquire()?;
            ours.begin()?;
            let released = machine::monotonic();
            drop(guard);
            ours.had_after(released)
        }),
        Box::new(|| {
            file.lock()?;
            floor.begin()?;
            let released = machine::monotonic();
            file.unlock()?;
            floor.had_after(released)
        }),
    ];
    let samples = interleaved(effort.rounds(301), effort.patience(), &mut runs)?;
    drop(runs);
    ours.end()?;
    floor.end()?;
    let (own, theirs) = (samples.median(0), samples.median(1));
    let figure = "file: hand-over between two processes";
    Ok(vec![
        Row::alone(&format!("{figure}, in µs"), benches::report::time(own), own / 1e3, Demand::AtMost(300.0)),
        Row::beside(figure, own, "the original's poll", POLL, own / POLL, Demand::AtMost(0.01)),
        Row::beside(figure, own, "blocking flock", theirs, samples.ratio(0, 1), Demand::Shown),
    ])
}

/// The process that waits: for each line it is sent it waits for the lock, and tells when it had it.
struct Waiter {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Waiter {
    fn start(how: &str, directory: &str) -> Result<Self> {
        let mut child = part::command("wait", &[how, directory])?.spawn()?;
        let orders = child.stdin.take().ok_or("no way to the other process")?;
        let told = BufReader::new(child.stdout.take().ok_or("no way from the other process")?);
        Ok(Self { child, orders, told })
    }

    fn begin(&mut self) -> Result {
        self.orders.write_all(b"\n")?;
        thread::sleep(ASLEEP);
        Ok(())
    }

    fn had_after(&mut self, released: u64) -> Result<f64> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        let had: u64 = line.trim().parse()?;
        Ok(Duration::from_nanos(had.saturating_sub(released)).as_secs_f64() * 1e9)
    }

    fn end(mut self) -> Result {
        drop(self.orders);
        self.child.wait()?;
        Ok(())
    }
}

/// The part of the other process.
pub(crate) fn wait(how: &str, directory: &str) -> Result {
    let lock = Locker::with_backend(lock::backends::File::shared(directory)).lock(KEY);
    let file = open(directory)?;
    for order in stdin().lines() {
        order?;
        let had = if how == "lock" {
            let guard = lock.acquire()?;
            let had = machine::monotonic();
            drop(guard);
            had
        } else {
            file.lock()?;
            let had = machine::monotonic();
            file.unlock()?;
            had
        };
        writeln!(stdout(), "{had}")?;
    }
    Ok(())
}

fn open(directory: &str) -> Result<File> {
    let path = Path::new(directory).join("floor");
    Ok(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?)
}
