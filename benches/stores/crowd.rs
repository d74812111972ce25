//! Tasks with a key each, beside a pool of as many connections as we have at most.

use benches::{
    Result,
    calls::crowd,
    contender::OURS,
    report::{Demand, Row},
    rounds::{Run, interleaved},
};

use crate::{
    stage::{Findings, Place, Stage, Threads, players},
    store::OURS_PLACE,
};

/// Of each task.
const PAIRS: u32 = 5;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let rows: Result<Vec<_>> = stage.places.iter().map(|place| of(stage, place)).collect();
    Ok(vec![Findings {
        title: "Tasks with a key each".into(),
        rows: rows?.into_iter().flatten().collect(),
        about: "The time per acquire + release of all tasks together.".into(),
        ..Findings::default()
    }])
}

fn of(stage: &Stage, place: &Place) -> Result<Vec<Row>> {
    let runtime = Threads::Many.runtime()?;
    let field = [place.store.field[OURS_PLACE], place.store.pool];
    let field = players(&runtime, &field, &place.server.url, "crowd")?;
    let mut rows = Vec::new();
    for tasks in [8, 64] {
        let mut runs: Vec<Run<'_>> =
            field.iter().map(|player| crowd(&runtime, player, tasks, PAIRS)).collect();
        let samples = interleaved(stage.effort.rounds(21), stage.patience(), &mut runs)?;
        let (own, floor) = (samples.median(0), samples.median(1));
        let figure = format!("{}: throughput of {OURS}, {tasks} tasks", place.store.title);
        let beside = format!("{}; ratio of throughputs", place.store.pool.name);
        rows.push(Row::beside(&figure, own, &beside, floor, samples.ratio(1, 0), Demand::Shown));
    }
    Ok(rows)
}
