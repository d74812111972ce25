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
            let row = |figure: &str, who: usize, floor: usize, demand| {
                let beside = format!("{}; ratio of throughputs", names[floor]);
                let (own, its) = (samples.median(who), samples.median(floor));
                let figure = format!("{figure}, {way}");
                Row::beside(&figure, own, &beside, its, samples.ratio(floor, who), demand)
            };
            for (who, how) in [(ours, "async"), (on_runtime, "async, on_runtime=yes")] {
                let figure = format!("{how}: throughput, {TASKS} tasks, a key each");
                rows.push(row(&figure, who, raw, Demand::AtLeast(0.85)));
                let figure = format!("{}: the same beside {}", names[who], FENCED.name);
                rows.push(row(&figure, who, fenced, Demand::Shown));
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
