//! Four processes that all want one key all the time: whether each of them gets its share.

use std::time::Duration;

use benches::{
    Result,
    chart::Panel,
    contender::{Entry, OURS},
    crew::{Crew, Manner, Team},
    report::{Demand, Row, short, time},
    rounds::{median, number},
    turns::Tally,
};

use crate::stage::{Findings, Place, Stage};

const PROCESSES: usize = 4;
const ROUNDS: usize = 3;

/// What came of one contender's rounds.
struct Outcome {
    name: &'static str,
    tallies: Vec<Tally>,
}

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let mut found: Vec<Findings> =
        stage.places.iter().map(|place| of(stage, place)).collect::<Result<_>>()?;
    if let Some(first) = found.first_mut() {
        first.about = "Between the end of a section and the next one: on the average, and, where it is the turn of another \
process, the middle one. The turns of whoever had fewest and most, by the mean. The longest wait, by the time in which everybody \
could have had one turn."
            .into();
    }
    Ok(found)
}

fn of(stage: &Stage, place: &Place) -> Result<Findings> {
    let title = place.store.title;
    let span = Duration::from_millis(if stage.effort.quick { 800 } else { 2000 });
    let outcomes: Vec<_> =
        place.store.field.iter().map(|&entry| play(entry, &place.server.url, span)).collect::<Result<_>>()?;
    let ours = outcomes.iter().find(|outcome| outcome.name == OURS).ok_or("we are missing")?;
    let overlaps: usize = ours.tallies.iter().map(|tally| tally.overlaps).sum();
    if overlaps > 0 {
        return Err(format!("{title}: {overlaps} sections overlapped").into());
    }
    let least = ours.shares().into_iter().fold(f64::INFINITY, f64::min);
    let figure = format!("{title}: turns of the worst of {PROCESSES} processes, by the mean");
    let head = ["", "sections/s", "between sections", "new process", "turns of a process", "worst wait"];
    let mut grid = vec![head.map(String::from).to_vec()];
    grid.extend(outcomes.iter().map(|outcome| outcome.cells(span)));
    let dots = outcomes.iter().map(|outcome| (outcome.name.to_owned(), outcome.shares()));
    Ok(Findings {
        title: format!("{title}: one key, 1 ms sections, {PROCESSES} greedy processes"),
        rows: vec![Row::alone(&figure, short(least), least, Demand::AtLeast(0.5))],
        grid,
        about: String::new(),
        panels: vec![Panel::dots(&format!("{title}: turns of each process, by the mean"), dots.collect())],
    })
}

fn play(entry: Entry, url: &str, span: Duration) -> Result<Outcome> {
    let team = Team { entry, processes: PROCESSES, tasks: 1 };
    let mut crew = Crew::start(&team, url)?;
    // Connections are made and statements prepared.
    crew.round(span / 10, Manner::Greedy)?;
    let mut tallies = Vec::new();
    for _ in 0..ROUNDS {
        let (turns, begin, end) = crew.round(span, Manner::Greedy)?;
        tallies.push(Tally::new(turns, &team, begin, end)?);
    }
    crew.end()?;
    Ok(Outcome { name: entry.name, tallies })
}

impl Outcome {
    fn median(&self, what: impl Fn(&Tally) -> f64) -> f64 {
        median(self.tallies.iter().map(what).collect())
    }

    /// How many turns each process had, by the mean of all.
    fn shares(&self) -> Vec<f64> {
        let total = |who: usize| f64::from(self.tallies.iter().map(|tally| tally.turns[who]).sum::<u32>());
        let totals: Vec<_> = (0..PROCESSES).map(total).collect();
        let mean = totals.iter().sum::<f64>() / number(PROCESSES);
        totals.iter().map(|turns| turns / mean).collect()
    }

    fn cells(&self, span: Duration) -> Vec<String> {
        let shares = self.shares();
        let [least, most] = [f64::min, f64::max].map(|pick| shares.iter().copied().fold(1.0, pick));
        let changed = self.median(|tally| tally.new_process);
        vec![
            self.name.into(),
            short(self.median(|tally| number(tally.sections)) / span.as_secs_f64()),
            time(self.median(|tally| tally.between)),
            if changed.is_nan() { "never".into() } else { time(changed) },
            format!("{} to {}", short(least), short(most)),
            short(self.median(|tally| tally.worst_wait)),
        ]
    }
}
