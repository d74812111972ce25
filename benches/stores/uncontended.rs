//! Nobody else there: acquire and release, by asynchronous and by blocking callers.

use benches::{
    Result,
    calls::{pairs, timed},
    columns::Columns,
    contender::{Blocking, ON_RUNTIME, OURS},
    cores::Cores,
    report::{Row, time},
    rounds::{Run, each, interleaved},
};

use crate::{
    contenders::ours,
    stage::{Findings, Place, Stage, Threads, players},
    store::{self, named},
};

/// So many that the first ones, after a pause in which others had the caches, do not count.
const PAIRS: u32 = 150;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let found = stage.places.iter().map(|place| of(stage, place)).collect();
    Cores::Free.apply_to_started()?;
    found
}

fn of(stage: &Stage, place: &Place) -> Result<Findings> {
    let (store, url) = (place.store, &place.server.url);
    let title = format!("{}: acquire + release, nobody else there", store.title);
    let names: Vec<_> = store.field.iter().map(|entry| entry.name.to_owned()).collect();
    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        // Before anybody connects: a server's process for a connection is where the server was.
        cores.apply_to_started()?;
        for threads in [Threads::Many, Threads::One] {
            let runtime = threads.runtime()?;
            let field = players(&runtime, store.field, url, "order:4711")?;
            cores.apply_to_started()?;
            let mut runs: Vec<Run<'_>> =
                field.iter().map(|player| timed(&runtime, player, PAIRS, pairs)).collect();
            let samples = interleaved(stage.effort.rounds(21), stage.patience(), &mut runs)?;
            let way = format!("{}{}", threads.name(), cores.name());
            for (who, name) in names.iter().enumerate() {
                let ours = match name.as_str() {
                    OURS => "async",
                    ON_RUNTIME => "async, on_runtime=yes",
                    _ => continue,
                };
                let (own, floor) = (samples.median(who), samples.median(store.floor));
                let figure = format!("{}, {ours}, {way}: acquire + release", store.title);
                let ratio = samples.ratio(who, store.floor);
                rows.push(Row::beside(&figure, own, &names[store.floor], floor, ratio, store.pace));
            }
            columns.add(&format!("async, {way}"), samples);
        }

        let (name, connect) = store.blocking;
        let (bare, ours) = (connect(url)?, ours::blocking(url)?);
        let mut runs = vec![blocked(&*bare, "bare-blocking"), blocked(&*ours, "blocking")];
        let samples = interleaved(stage.effort.rounds(21), stage.patience(), &mut runs)?;
        let (own, floor) = (samples.median(1), samples.median(0));
        let figure = format!("{}, blocking{}: acquire + release", store.title, cores.name());
        rows.push(Row::beside(&figure, own, name, floor, samples.ratio(1, 0), store.pace));
    }
    let panel = columns.panel(&format!("{}: acquire + release", store.title), names.len());

    let about = format!("The time for both, and in brackets the ratio to {}.", names[store.floor]);
    Ok(Findings { title, rows, grid: columns.grid(store.floor), about, panels: vec![panel] })
}

fn blocked<'a>(contender: &'a dyn Blocking, key: &'a str) -> Run<'a> {
    Box::new(move || each(PAIRS, || contender.locked(key, &mut || ())))
}

/// Nothing but pairs of one contender, for a profiler to look at.
pub(crate) fn over_and_over(name: &str, url: &str, way: &str, count: u32) -> Result {
    let took = if way == "blocking" {
        let contender = if name == OURS { ours::blocking(url)? } else { (store::of(url)?.blocking.1)(url)? };
        each(count, || contender.locked("profiled", &mut || ()))?
    } else {
        let threads = if way == "one" { Threads::One } else { Threads::Many };
        let runtime = threads.runtime()?;
        let player = players(&runtime, &[named(name, url)?], url, "profiled")?.remove(0);
        timed(&runtime, &player, count, pairs)()?
    };
    println!("{name}, {way}: {}", time(took));
    Ok(())
}
