//! How many round trips an acquire, a release and a hand-over take.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use benches::{
    Result,
    contender::{OURS, Waiting},
    crew::{Crew, Manner, Team},
    report::{Demand, Row, short},
    stage::Player,
};
use tokio::runtime::Runtime;

use crate::{
    stage::{Findings, Place, Stage, Threads, players},
    trips::{Count, Counter},
};

const PAIRS: u32 = 20;
/// Before these, not counted: each connection of a pool prepares its statements.
const PREPARING: u32 = 5;
/// For what is sent after the release was answered.
const BEHIND: Duration = Duration::from_millis(5);
/// How long two processes hand a lock to each other.
const SPAN: Duration = Duration::from_secs(1);

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let mut found = Vec::new();
    for place in &stage.places {
        // Nobody is between a client and a file.
        if let Some(port) = place.server.port {
            found.push(of(place, port)?);
        }
    }
    if let Some(first) = found.first_mut() {
        first.about = "Counted between clients and server. *Hand-over*: two processes with a task each, which want the lock \
all the time and keep it for 1 ms; all that both of them send, by the number of turns: a refused attempt, a place in line, the release, \
and the attempt that succeeds. Who is told by the server needs no round trip for that."
            .into();
    }
    Ok(found)
}

fn of(place: &Place, port: u16) -> Result<Findings> {
    let counter = Counter::before(port)?;
    let url = place.server.url_by(counter.port());
    let runtime = Threads::Many.runtime()?;
    let title = place.store.title;
    let mut found = Findings { title: format!("{title}: round trips"), ..Findings::default() };
    let head = ["", "acquire", "release", "hand-over", "what acquire and release were"];
    found.grid.push(head.map(String::from).to_vec());
    for (entry, player) in place.store.field.iter().zip(players(&runtime, place.store.field, &url, "asked")?)
    {
        let [acquire, release] = alone(&runtime, &player, &counter)?;
        let each = |count: &Count| f64::from(count.trips) / f64::from(PAIRS);
        let handed = handed_over(&Team { entry: *entry, processes: 2, tasks: 1 }, &url, &counter)?;
        if entry.name == OURS {
            let row = |what: &str, value: f64, demand: Demand| {
                Row::alone(&format!("{title}: round trips of {what}"), short(value), value, demand)
            };
            found.rows.push(row("an acquire", each(&acquire), Demand::Shown));
            found.rows.push(row("a release", each(&release), Demand::Shown));
            found.rows.push(row("a contended hand-over", handed, place.store.trips));
        }
        let words = [acquire.describe(PAIRS), release.describe(PAIRS)].join("; ");
        found.grid.push(vec![
            entry.name.into(),
            short(each(&acquire)),
            short(each(&release)),
            if entry.waiting == Waiting::Never { String::new() } else { short(handed) },
            words.trim_matches([';', ' ']).into(),
        ]);
    }
    Ok(found)
}

/// Nobody else there.
fn alone(runtime: &Runtime, player: &Player, counter: &Counter) -> Result<[Count; 2]> {
    let mut counts = [Count::default(), Count::default()];
    for round in 0..PREPARING + PAIRS {
        let before = counter.now();
        let within = Arc::new(Mutex::new(Count::default()));
        let (noted, look) = (Arc::clone(&within), counter.look());
        let section = Box::pin(async move {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = look();
        });
        let (contender, key) = (player.contender.clone(), player.key.clone());
        runtime.block_on(runtime.spawn(async move { contender.locked(&key, section).await }))??;
        let after = settled(counter);
        let within = within.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if round >= PREPARING {
            counts[1].add(after.since(&within));
            counts[0].add(within.since(&before));
        }
    }
    Ok(counts)
}

/// What was asked when nothing more comes: the first to acquire also removes rows that nobody uses.
fn settled(counter: &Counter) -> Count {
    loop {
        let before = counter.now();
        thread::sleep(BEHIND);
        let after = counter.now();
        if after.trips == before.trips {
            return after;
        }
    }
}

/// Of two who want it all the time, by turns.
fn handed_over(team: &Team, url: &str, counter: &Counter) -> Result<f64> {
    let mut crew = Crew::start(team, url)?;
    // Connections are made and statements prepared.
    crew.round(SPAN / 5, Manner::Greedy)?;
    let before = settled(counter);
    let (turns, ..) = crew.round(SPAN, Manner::Greedy)?;
    let trips = settled(counter).since(&before).trips;
    crew.end()?;
    Ok(f64::from(trips) / f64::from(u32::try_from(turns.len())?))
}
