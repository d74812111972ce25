//! A guard is dropped and the same key acquired at once: the release must not be overtaken.

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    calls::{drops, pairs, timed},
    columns::Columns,
    contender::{OURS, RAW, REDISSUN, RLOCK},
    cores::Cores,
    stage::{Findings, Stage, Threads, players},
};

/// Few, for those who take a tenth of a second each.
const TIMES: u32 = 10;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let mut names = vec![format!("{}, one pair", RAW.name)];
    names.extend([OURS, REDISSUN, RLOCK].map(|entry| entry.name.to_owned()));
    let (mut columns, mut rows) = (Columns::new(&names), Vec::new());
    for cores in Cores::all() {
        cores.apply(stage.server.process())?;
        for threads in [Threads::One, Threads::Many] {
            let runtime = threads.runtime()?;
            let field = [RAW, OURS, REDISSUN, RLOCK];
            let field = players(&runtime, &field, &stage.server.url(), "dropped")?;
            let run = |(number, player)| -> Run<'_> {
                timed(&runtime, player, TIMES, if number == 0 { pairs } else { drops })
            };
            let mut runs: Vec<Run<'_>> = field.iter().enumerate().map(run).collect();
            let samples = interleaved(stage.effort.rounds(13), stage.patience(), &mut runs)?;
            let way = format!("{}{}", threads.name(), cores.name());
            let (own, floor) = (samples.median(1), samples.median(0));
            let figure = format!("async: drop, then acquire at once, {way}");
            let beside = format!("two requests of the {}", RAW.name);
            rows.push(Row::beside(&figure, own, &beside, floor, samples.ratio(1, 0), Demand::AtMost(1.1)));
            columns.add(&way, samples);
        }
    }
    Cores::Free.apply(stage.server.process())?;
    let title = "Dropped, and acquired again at once";
    let about =
        "The time from one acquire to the next, and in brackets the ratio to two requests of the raw client.";
    Ok(vec![Findings {
        title: title.into(),
        rows,
        grid: columns.grid(0),
        about: about.into(),
        panels: Vec::new(),
    }])
}
