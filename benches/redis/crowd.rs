//! 64 tasks with a key each, on one connection.

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    calls::crowd,
    columns::Columns,
    contender::{FENCED, OURS, OURS_ON_RUNTIME, RAW, UNCONTENDED, place},
    cores::Cores,
    stage::{Findings, Stage, Threads, players},
};

const TASKS: u32 = 64;
/// Of each task.
const PAIRS: u32 = 40;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let (ours, raw) = (place(&UNCONTENDED, OURS)?, place(&UNCONTENDED, RAW)?);
    let (on_runtime, fenced) = (place(&UNCONTENDED, OURS_ON_RUNTIME)?, place(&UNCONTENDED, FENCED)?);
    let names: Vec<_> = UNCONTENDED.iter().map(|entry| entry.name.to_owned()).collect();
    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        for threads in [Threads::One, Threads::Many] {
            let runtime = threads.runtime()?;
            let field = players(&runtime, &UNCONTENDED, &stage.server.url(), "crowd")?;
            let mut runs: Vec<Run<'_>> =
                field.iter().map(|player| crowd(&runtime, player, TASKS, PAIRS)).collect();
            let samples = interleaved(stage.effort.rounds(31), stage.patience(), &mut runs)?;
            let way = format!("{}{}", threads.name(), cores.name());
            for (who, how) in [(ours, "async"), (on_runtime, "async, on_runtime=yes")] {
                let (own, floor) = (samples.median(who), samples.median(raw));
                let figure = format!("{how}: throughput, {TASKS} tasks, a key each, {way}");
                let beside = format!("{}; ratio of throughputs", RAW.name);
                let times = samples.ratio(raw, who);
                rows.push(Row::beside(&figure, own, &beside, floor, times, Demand::AtLeast(0.85)));
            }
            for who in [ours, on_runtime] {
                let (own, floor) = (samples.median(who), samples.median(fenced));
                let figure = format!("{}: the same beside {}, {way}", names[who], FENCED.name);
                let beside = format!("{}; ratio of throughputs", FENCED.name);
                let times = samples.ratio(fenced, who);
                rows.push(Row::beside(&figure, own, &beside, floor, times, Demand::Shown));
            }
            columns.add(&way, samples);
        }
    }
    Cores::Free.apply(stage.server.process())?;
    let title = "64 tasks, a key each";
    let about =
        "The time per acquire + release of all tasks together, and in brackets the ratio to the raw client.";
    let panel = columns.panel("64 tasks, a key each: one acquire + release", names.len());
    Ok(vec![Findings {
        title: title.into(),
        rows,
        grid: columns.grid(raw),
        about: about.into(),
        panels: vec![panel],
    }])
}
