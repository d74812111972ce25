//! Callers that block their thread: one alone, and crowds of threads with a key each.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Instant,
};

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, each, interleaved, nanos},
};

use crate::{
    columns::Columns,
    contender::{Blocking, FENCED, OURS, RAW, RLOCK},
    contenders::{ours, raw, redis_lock, rlock},
    cores::Cores,
    stage::{Findings, Stage},
};

const PAIRS: u32 = 300;
/// Of each thread of a crowd.
const PAIRS_EACH: u32 = 25;
/// The connections that a crowd on the floor shares.
const POOL: usize = 8;

type Named = (String, Arc<dyn Blocking>);

pub(crate) fn alone(stage: &Stage) -> Result<Vec<Findings>> {
    let url = stage.server.url();
    let field = [
        (RAW.name.to_owned(), raw::pool(&url, 1)?),
        (OURS.name.to_owned(), ours::blocking(&url)?),
        (FENCED.name.to_owned(), raw::fenced_pool(&url, 1)?),
        ("redis-lock, several".to_owned(), redis_lock::blocking(&url)?),
        (RLOCK.name.to_owned(), rlock::blocking(&url)?),
    ];
    let names = names(&field);
    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        let mut runs: Vec<Run<'_>> = field.iter().map(pairs).collect();
        let samples = interleaved(stage.effort.rounds(31), stage.patience(), &mut runs)?;
        let (own, floor) = (samples.median(1), samples.median(0));
        let figure = format!("blocking: acquire + release{}", cores.name());
        rows.push(Row::beside(&figure, own, RAW.name, floor, samples.ratio(1, 0), Demand::AtMost(1.1)));
        let (figure, floor) = (format!("{figure}, beside {}", FENCED.name), samples.median(2));
        rows.push(Row::beside(&figure, own, FENCED.name, floor, samples.ratio(1, 2), Demand::Shown));
        columns.add(&format!("one thread{}", cores.name()), samples);
    }
    Cores::Free.apply(stage.server.process())?;
    let title = "Acquire + release, nobody else there, blocking";
    let about = "The time for both, and in brackets the ratio to the raw client on one connection.";
    let panel = columns.panel("acquire + release, blocking", names.len());
    Ok(vec![Findings {
        title: title.into(),
        rows,
        grid: columns.grid(0),
        about: about.into(),
        panels: vec![panel],
    }])
}

pub(crate) fn crowds(stage: &Stage) -> Result<Vec<Findings>> {
    let url = stage.server.url();
    let field = [
        (format!("{} pool of {POOL}", RAW.name), raw::pool(&url, POOL)?),
        (OURS.name.to_owned(), ours::blocking(&url)?),
        (format!("{} pool of {POOL}", FENCED.name), raw::fenced_pool(&url, POOL)?),
        (RLOCK.name.to_owned(), rlock::blocking(&url)?),
    ];
    let names = names(&field);
    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        for threads in [8, 64] {
            let mut runs: Vec<Run<'_>> = field.iter().map(|who| crowd(who, threads)).collect();
            let samples = interleaved(stage.effort.rounds(31), stage.patience(), &mut runs)?;
            let way = format!("{threads} threads{}", cores.name());
            let (own, floor) = (samples.median(1), samples.median(0));
            let figure = format!("blocking: throughput, a key each, {way}");
            let beside = format!("{}; ratio of throughputs", names[0]);
            rows.push(Row::beside(&figure, own, &beside, floor, samples.ratio(0, 1), Demand::AtLeast(0.85)));
            let (figure, floor) = (format!("{figure}, beside {}", FENCED.name), samples.median(2));
            let beside = format!("{}; ratio of throughputs", names[2]);
            rows.push(Row::beside(&figure, own, &beside, floor, samples.ratio(2, 1), Demand::Shown));
            columns.add(&way, samples);
        }
    }
    Cores::Free.apply(stage.server.process())?;
    let title = "Crowds of threads, a key each";
    let about =
        "The time per acquire + release of all threads together, and in brackets the ratio to the raw pool.";
    Ok(vec![Findings {
        title: title.into(),
        rows,
        grid: columns.grid(0),
        about: about.into(),
        panels: Vec::new(),
    }])
}

fn names(field: &[Named]) -> Vec<String> {
    field.iter().map(|(name, _)| name.clone()).collect()
}

/// One thread that does it over and over.
fn pairs((name, contender): &Named) -> Run<'_> {
    let key = format!("blocking:{name}");
    Box::new(move || each(PAIRS, || contender.locked(&key, &mut || ())))
}

/// All at once, from when the last of them is there.
fn crowd((name, contender): &Named, threads: u32) -> Run<'_> {
    Box::new(move || {
        let start = Barrier::new(threads as usize + 1);
        let worker = |number: u32| {
            let key = format!("crowd:{name}:{number}");
            start.wait();
            (0..PAIRS_EACH).try_for_each(|_| contender.locked(&key, &mut || ()))
        };
        thread::scope(|scope| {
            let worker = &worker;
            let workers: Vec<_> = (0..threads).map(|number| scope.spawn(move || worker(number))).collect();
            start.wait();
            let begun = Instant::now();
            for worker in workers {
                worker.join().unwrap_or_else(|_| Err("a thread panicked".into()))?;
            }
            Ok(nanos(begun.elapsed()) / f64::from(threads * PAIRS_EACH))
        })
    })
}
