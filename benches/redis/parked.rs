//! A process that waits for ten thousand keys: its connections and its threads.

use std::{
    io::{BufRead, BufReader, Read, Write, stdin, stdout},
    process::Child,
    thread,
    time::Duration,
};

use benches::{
    Result, machine, part,
    report::{Demand, Row},
};
use lock::Locker;

use crate::{
    contenders::ours::prefixed,
    stage::{Findings, Stage, Threads},
};

const FEW: u32 = 1_000;
const MANY: u32 = 10_000;
/// For the last of them to have asked the server.
const SETTLED: Duration = Duration::from_secs(1);

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let mut seen = Vec::new();
    for keys in [FEW, MANY] {
        let mut holder = Parked::start("hold", stage, keys)?;
        let before = stage.server.connections()?;
        let mut waiter = Parked::start("park", stage, keys)?;
        seen.push((stage.server.connections()? - before, waiter.threads));
        waiter.end()?;
        holder.end()?;
    }
    let [(few, _), (many, threads)] = seen[..] else { return Err("nothing was seen".into()) };
    let more = f64::from(many) - f64::from(few);
    let connections = format!("connections, {MANY} keys waited for, more than for {FEW}");
    let background = f64::from(threads) - 1.0;
    let rows = vec![
        Row::alone(&connections, format!("{many} − {few}"), more, Demand::AtMost(0.0)),
        Row::alone(
            &format!("threads beside the caller's, {MANY} keys waited for"),
            threads.saturating_sub(1).to_string(),
            background,
            Demand::AtMost(1.0),
        ),
    ];
    Ok(vec![Findings { title: "Many keys waited for".into(), rows, ..Findings::default() }])
}

/// A process that holds or waits for so many keys until its input ends.
struct Parked {
    child: Child,
    threads: u32,
}

impl Parked {
    fn start(part: &str, stage: &Stage, keys: u32) -> Result<Self> {
        let mut child = part::command(part, &[&stage.server.url(), &keys.to_string()])?.spawn()?;
        let mut told = String::new();
        BufReader::new(child.stdout.take().ok_or("no way from the other process")?).read_line(&mut told)?;
        Ok(Self { child, threads: told.trim().parse()? })
    }

    fn end(&mut self) -> Result {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

/// The part of who has the keys.
pub(crate) fn hold(url: &str, keys: u32) -> Result {
    let locker = locker(url)?;
    Threads::One.runtime()?.block_on(async {
        let mut guards = Vec::new();
        for number in 0..keys {
            guards.push(locker.lock(format!("parked:{number}")).acquire_async().await?);
        }
        tell_and_wait()
    })
}

/// The part of who waits for them.
pub(crate) fn park(url: &str, keys: u32) -> Result {
    let locker = locker(url)?;
    let runtime = Threads::One.runtime()?;
    for number in 0..keys {
        let lock = locker.lock(format!("parked:{number}"));
        runtime.spawn(async move { lock.acquire_async().await });
    }
    runtime.block_on(async { tokio::time::sleep(SETTLED).await });
    tell_and_wait()
}

fn locker(url: &str) -> Result<Locker> {
    Ok(Locker::open(&prefixed(url))?)
}

fn tell_and_wait() -> Result {
    thread::sleep(SETTLED);
    writeln!(stdout(), "{}", machine::threads()?)?;
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
