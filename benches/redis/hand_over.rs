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

use benches::{
    Result, machine, part,
    report::{Demand, Row},
    rounds::{Run, interleaved, nanos},
};
use tokio::runtime::Runtime;

use crate::{
    columns::Columns,
    contender::{Blocking, Entry, OURS, REDISSUN, WAITING, Waiting, named, place},
    contenders::ours,
    cores::Cores,
    stage::{Findings, Player, Stage, Threads, players},
};

/// Our callers that block, beside the contenders, which are asynchronous.
pub(crate) const BLOCKING: &str = "lock, blocking";
const BLOCKING_KEY: &str = "lock:hand-over:blocking";
/// For the other process to fall asleep over its wait.
const LEAST_ASLEEP: Duration = Duration::from_millis(5);
/// Of those who poll: a lock is released at any moment of it.
const BEAT: Duration = Duration::from_millis(100);

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let url = stage.server.url();
    let mut found = Findings { title: "Hand-over to another process".into(), ..Findings::default() };
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        let takes_part = |entry: &&Entry| *cores == Cores::Free || entry.waiting == Waiting::Woken;
        let field: Vec<_> = WAITING.iter().filter(takes_part).copied().collect();
        let mut names: Vec<_> = field.iter().map(|entry| entry.name.to_owned()).collect();
        names.push(BLOCKING.into());

        let runtime = Threads::Many.runtime()?;
        let players = players(&runtime, &field, &url, "hand-over")?;
        let blocking = ours::blocking(&url)?;
        let mut waiters: Vec<_> =
            names.iter().map(|name| Waiter::start(name, &url)).collect::<Result<_>>()?;
        let (last, others) = waiters.split_last_mut().ok_or("nobody takes part")?;
        let pair = |(player, waiter)| -> Run<'_> { asynchronous(&runtime, player, waiter) };
        let mut runs: Vec<Run<'_>> = players.iter().zip(others).map(pair).collect();
        runs.push(synchronous(&*blocking, last));
        let samples = interleaved(stage.effort.rounds(41), Duration::ZERO, &mut runs)?;
        drop(runs);
        waiters.into_iter().try_for_each(Waiter::end)?;

        let way = format!("between two processes{}", cores.name());
        let us = place(&field, OURS)?;
        for (who, callers) in [(us, "async"), (field.len(), "blocking")] {
            for (number, peer) in field.iter().enumerate().filter(|(number, _)| *number != us) {
                let demand = match peer.waiting {
                    Waiting::Polls => Demand::AtMost(0.01),
                    _ if peer.name == REDISSUN.name => Demand::AtMost(0.5),
                    _ => Demand::Shown,
                };
                let (own, theirs) = (samples.median(who), samples.median(number));
                let figure = format!("{callers}: hand-over {way}");
                let ratio = samples.ratio(who, number);
                found.rows.push(Row::beside(&figure, own, peer.name, theirs, ratio, demand));
            }
        }
        let mut columns = Columns::new(&names);
        columns.add(&way, samples);
        if *cores == Cores::Free {
            found.panels.push(columns.panel("hand-over", names.len()));
        }
    }
    Cores::Free.apply(stage.server.process())?;
    Ok(vec![found])
}

fn asynchronous<'a>(runtime: &'a Runtime, player: &'a Player, waiter: &'a mut Waiter) -> Run<'a> {
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

pub(crate) fn synchronous<'a>(contender: &'a dyn Blocking, waiter: &'a mut Waiter) -> Run<'a> {
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
pub(crate) fn asleep(round: u32) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_75;
    LEAST_ASLEEP + BEAT.mul_f64((f64::from(round) * GOLDEN).fract())
}

/// The process that waits: for each line it is sent it waits for the lock, and tells when it had it.
pub(crate) struct Waiter {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Waiter {
    pub(crate) fn start(name: &str, url: &str) -> Result<Self> {
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

    pub(crate) fn end(mut self) -> Result {
        drop(self.orders);
        self.child.wait()?;
        Ok(())
    }
}

/// The part of the other process.
pub(crate) fn wait(name: &str, url: &str) -> Result {
    if name == BLOCKING {
        let contender = ours::blocking(url)?;
        return answer(|had| {
            contender.locked(BLOCKING_KEY, &mut || had.store(machine::boot_time(), Relaxed))
        });
    }
    let runtime = Threads::Many.runtime()?;
    let player = players(&runtime, &[named(name)?], url, "hand-over")?.remove(0);
    answer(|had| {
        let (contender, key, had) = (player.contender.clone(), player.key.clone(), Arc::clone(had));
        let section = Box::pin(async move { had.store(machine::boot_time(), Relaxed) });
        runtime.block_on(runtime.spawn(async move { contender.locked(&key, section).await }))?
    })
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
