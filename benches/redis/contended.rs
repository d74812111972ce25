//! Sixteen workers who all want one key, in one process and in four.

use benches::{
    Result,
    report::{Demand, Row, short, time},
};

use crate::{
    chart::Panel,
    contender::{Entry, OURS, REDISSUN, WAITING, Waiting, place},
    cores::Cores,
    crew::{Manner, Team},
    outcome::{ABOUT, Outcome, grid, play},
    stage::{Findings, Stage},
};

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let mut found = Vec::new();
    let manners = if stage.effort.quick { &Manner::ALL[..1] } else { &Manner::ALL };
    for (processes, tasks, where_, limits) in
        [(1, 16, "16 tasks of a process", [40.0, 0.3]), (4, 4, "4 processes × 4 tasks", [100.0, 1.0])]
    {
        for cores in if stage.effort.quick { &Cores::all()[..1] } else { Cores::all() } {
            cores.apply(stage.server.process())?;
            let takes_part = |entry: &&Entry| *cores == Cores::Free || entry.waiting == Waiting::Woken;
            let field: Vec<_> = WAITING.iter().filter(takes_part).copied().collect();
            for manner in manners {
                let setting = format!("{where_}, {}{}", manner.name(), cores.name());
                eprintln!("  {setting}");
                let teams: Vec<_> = field.iter().map(|&entry| Team { entry, processes, tasks }).collect();
                let outcomes = play(stage, &teams, *manner)?;
                let ours = &outcomes[place(&field, OURS)?];
                let redissun = &outcomes[place(&field, REDISSUN)?];
                if ours.overlaps() > 0 {
                    return Err(format!("{setting}: {} sections overlapped", ours.overlaps()).into());
                }
                let shown = *cores == Cores::Free && *manner == Manner::Greedy;
                found.push(Findings {
                    title: format!("One key, 1 ms sections: {setting}"),
                    rows: rows(ours, redissun, limits),
                    grid: grid(&outcomes),
                    about: if found.is_empty() { ABOUT.into() } else { String::new() },
                    panels: if shown { panels(where_, &outcomes) } else { Vec::new() },
                });
            }
        }
    }
    Cores::Free.apply(stage.server.process())?;
    Ok(found)
}

fn rows(ours: &Outcome, redissun: &Outcome, [between, requests]: [f64; 2]) -> Vec<Row> {
    let row =
        |figure: &str, show: fn(f64) -> String, value: &dyn Fn(&Outcome) -> f64, unit: f64, limit: f64| Row {
            figure: figure.into(),
            ours: show(value(ours)),
            beside: format!("{} {}", show(value(redissun)), redissun.name),
            value: value(ours) / unit,
            demand: Demand::AtMost(limit),
        };
    let uneven =
        |outcome: &Outcome| outcome.shares().iter().map(|share| (share - 1.0).abs()).fold(0.0, f64::max);
    vec![
        row("between sections, in µs", time, &|who| who.median(|tally| tally.between), 1e3, between),
        row("requests for a section", short, &|who| who.requests, 1.0, requests),
        row("worst wait, by the fair one", short, &Outcome::worst_wait, 1.0, 1.5),
        row("a worker's turns, off the mean by", short, &uneven, 1.0, 0.2),
    ]
}

fn panels(where_: &str, outcomes: &[Outcome]) -> Vec<Panel> {
    let bars = outcomes.iter().map(|who| (who.name.to_owned(), who.median(|tally| tally.between)));
    let dots = outcomes.iter().map(|who| (who.name.to_owned(), who.shares()));
    vec![
        Panel::bars(&format!("from a section to the next, whoever comes next ({where_})"), bars.collect()),
        Panel::dots(&format!("turns of each worker, by the mean ({where_})"), dots.collect()),
    ]
}
