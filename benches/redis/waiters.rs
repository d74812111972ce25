//! More who wait, and whether the server has more to do for it.

use benches::{
    Result,
    report::{Demand, Row, short, time},
};

use crate::{
    contender::{OURS, WAITING, Waiting, place},
    crew::{Manner, Team},
    outcome::{grid, play},
    stage::{Findings, Stage},
};

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let field: Vec<_> = WAITING.iter().filter(|entry| entry.waiting == Waiting::Woken).copied().collect();
    let teams = |tasks| field.iter().map(move |&entry| Team { entry, processes: 4, tasks });
    let mut few = play(stage, &teams(4).chain(teams(50)).collect::<Vec<_>>(), Manner::Greedy)?;
    let many = few.split_off(field.len());
    let us = place(&field, OURS)?;
    let row = |figure: &str, show: fn(f64) -> String, [ours, beside]: [f64; 2], limit: f64| Row {
        figure: figure.into(),
        ours: show(ours),
        beside: format!("{} 16 workers", show(beside)),
        value: ours / beside,
        demand: Demand::AtMost(limit),
    };
    let rows = vec![
        row("requests for a section, 200 workers", short, [many[us].requests, few[us].requests], 1.05),
        row("server CPU for a section, 200 workers", time, [many[us].processor, few[us].processor], 1.1),
    ];
    let title = |tasks| format!("One key, 1 ms sections: 4 processes × {tasks} tasks, greedy, in turn");
    Ok(vec![
        Findings { title: title(4), grid: grid(&few), ..Findings::default() },
        Findings { title: title(50), rows, grid: grid(&many), ..Findings::default() },
    ])
}
