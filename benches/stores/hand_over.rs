//! How long a lock takes from who releases it to who waits for it in another process.

use std::time::Duration;

use benches::{
    Result,
    columns::Columns,
    hand_over::{KEY, Waiter, asynchronous, synchronous},
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    contenders::ours,
    stage::{Findings, Place, Stage, Threads, players},
    store::{OURS_PLACE, RAW_PLACE},
};

/// Our callers that block, beside the contenders, which are asynchronous.
pub(crate) const BLOCKING: &str = "lock, blocking";

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    stage.places.iter().map(|place| of(stage, place)).collect()
}

fn of(stage: &Stage, place: &Place) -> Result<Findings> {
    let (store, url) = (place.store, &place.server.url);
    let mut names: Vec<_> = store.field.iter().map(|entry| entry.name.to_owned()).collect();
    names.push(BLOCKING.into());
    let runtime = Threads::Many.runtime()?;
    let players = players(&runtime, store.field, url, KEY)?;
    let blocking = ours::blocking(url)?;
    let mut waiters: Vec<_> = names.iter().map(|name| Waiter::start(name, url)).collect::<Result<_>>()?;
    let (last, others) = waiters.split_last_mut().ok_or("nobody takes part")?;
    let pair = |(player, waiter)| -> Run<'_> { asynchronous(&runtime, player, waiter) };
    let mut runs: Vec<Run<'_>> = players.iter().zip(others).map(pair).collect();
    runs.push(synchronous(&*blocking, last));
    let samples = interleaved(stage.effort.rounds(31), Duration::ZERO, &mut runs)?;
    drop(runs);
    waiters.into_iter().try_for_each(Waiter::end)?;

    let row = |who: usize, callers: &str| {
        let (own, theirs) = (samples.median(who), samples.median(RAW_PLACE));
        let figure = format!("{}, {callers}: hand-over to another process", store.title);
        let beside = format!("{}, polling", names[RAW_PLACE]);
        Row::beside(&figure, own, &beside, theirs, samples.ratio(who, RAW_PLACE), Demand::Shown)
    };
    let rows = vec![row(OURS_PLACE, "async"), row(store.field.len(), "blocking")];
    let mut columns = Columns::new(&names);
    columns.add("between two processes", samples);
    let panel = columns.panel(&format!("{}: hand-over", store.title), names.len());
    let title = format!("{}: hand-over to another process", store.title);
    Ok(Findings { title, rows, grid: columns.grid(RAW_PLACE), about: String::new(), panels: vec![panel] })
}
