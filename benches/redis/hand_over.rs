//! How long a lock takes from who releases it to who waits for it in another process: a new owner every time.

use std::time::Duration;

pub(crate) use benches::hand_over::{Waiter, asleep, synchronous};
use benches::{
    Result,
    hand_over::{self, asynchronous},
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    columns::Columns,
    contender::{Entry, OURS, PASSED_ON, REDISSUN, WAITING, Waiting, named, place},
    contenders::ours,
    cores::Cores,
    stage::{Findings, Stage, Threads, players},
};

/// Our callers that block, beside the contenders, which are asynchronous.
pub(crate) const BLOCKING: &str = "lock, blocking";

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let url = stage.server.url();
    let mut found = Findings { title: "Hand-over to another process".into(), ..Findings::default() };
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        let takes_part = |entry: &&Entry| *cores == Cores::Free || entry.waiting == Waiting::Woken;
        let field: Vec<_> = WAITING.iter().filter(takes_part).copied().chain([PASSED_ON]).collect();
        let mut names: Vec<_> = field.iter().map(|entry| entry.name.to_owned()).collect();
        names.push(BLOCKING.into());

        let runtime = Threads::Many.runtime()?;
        let players = players(&runtime, &field, &url, hand_over::KEY)?;
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

/// The part of the other process.
pub(crate) fn wait(name: &str, url: &str) -> Result {
    if name == BLOCKING {
        return hand_over::wait_blocking(&*ours::blocking(url)?);
    }
    hand_over::wait(named(name)?, url)
}
