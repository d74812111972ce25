//! Nobody else there: acquire and release, by asynchronous callers.

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    calls::{pairs, pairs_of_new_keys, timed},
    columns::Columns,
    contender::{FENCED, OURS, OURS_ON_RUNTIME, RAW, UNCONTENDED, place},
    cores::Cores,
    stage::{Findings, Stage, Threads, players},
};

/// So many that the first ones, after a pause in which others had the caches, do not count.
const PAIRS: u32 = 300;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let (ours, raw) = (place(&UNCONTENDED, OURS)?, place(&UNCONTENDED, RAW)?);
    let (on_runtime, fenced) = (place(&UNCONTENDED, OURS_ON_RUNTIME)?, place(&UNCONTENDED, FENCED)?);
    let mut names: Vec<_> = UNCONTENDED.iter().map(|entry| entry.name.to_owned()).collect();
    let [raw_of_new, ours_of_new] = [names.len(), names.len() + 1];
    names.extend([RAW, OURS].map(|entry| format!("{}, a new key each time", entry.name)));

    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        for threads in [Threads::One, Threads::Many] {
            let runtime = threads.runtime()?;
            let field = players(&runtime, &UNCONTENDED, &stage.server.url(), "order:4711")?;
            let mut runs: Vec<Run<'_>> =
                field.iter().map(|player| timed(&runtime, player, PAIRS, pairs)).collect();
            for who in [raw, ours] {
                runs.push(timed(&runtime, &field[who], PAIRS, pairs_of_new_keys));
            }
            let samples = interleaved(stage.effort.rounds(31), stage.patience(), &mut runs)?;
            let way = format!("{}{}", threads.name(), cores.name());
            let row = |figure: &str, who: usize, beside: usize| {
                let (own, floor) = (samples.median(who), samples.median(beside));
                let (figure, ratio) = (format!("{figure}, {way}"), samples.ratio(who, beside));
                Row::beside(&figure, own, RAW.name, floor, ratio, Demand::AtMost(1.1))
            };
            let beside_fenced = |who: usize| {
                let (own, floor) = (samples.median(who), samples.median(fenced));
                let figure = format!("{}: the same beside {}, {way}", names[who], FENCED.name);
                Row::beside(&figure, own, FENCED.name, floor, samples.ratio(who, fenced), Demand::Shown)
            };
            rows.extend([ours, on_runtime].map(beside_fenced));
            rows.push(row("async: acquire + release", ours, raw));
            rows.push(row("async, on_runtime=yes: acquire + release", on_runtime, raw));
            rows.push(row("async: the same, a new key each time", ours_of_new, raw_of_new));
            columns.add(&way, samples);
        }
    }
    Cores::Free.apply(stage.server.process())?;
    let title = "Acquire + release, nobody else there, async";
    let about =
        "The time for both, and in brackets the ratio to the raw client, which neither renews nor fences.";
    let panel = columns.panel("acquire + release, async", UNCONTENDED.len());
    Ok(vec![Findings {
        title: title.into(),
        rows,
        grid: columns.grid(raw),
        about: about.into(),
        panels: vec![panel],
    }])
}
