//! Nobody else there: how many requests the server counts for an acquire, and for a release.

use std::{thread, time::Duration};

use benches::{
    Result,
    report::{Demand, Row, short},
};

use crate::{
    contender::{OURS, UNCONTENDED},
    contenders::{ours, raw, rlock},
    requests::{Count, Requests},
    stage::{Findings, Stage, Threads, players},
};

const PAIRS: u32 = 20;
/// For what is sent after the release was answered.
const BEHIND: Duration = Duration::from_millis(5);

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let url = stage.server.url();
    let requests = Requests::listen(&stage.server)?;
    let runtime = Threads::Many.runtime()?;
    let mut counts = Vec::new();
    for (entry, player) in UNCONTENDED.iter().zip(players(&runtime, &UNCONTENDED, &url, "asked")?) {
        let pair = || {
            let marker = requests.marker();
            // In a section there is nobody to tell: a mark that is missing is missed afterwards.
            let section = Box::pin(async move { drop(marker.set()) });
            let (contender, key) = (player.contender.clone(), player.key.clone());
            runtime.block_on(runtime.spawn(async move { contender.locked(&key, section).await }))?
        };
        counts.push((format!("{}, async", entry.name), count(&requests, pair)?));
    }
    for (name, contender) in [
        ("raw client", raw::pool(&url, 1)?),
        ("lock", ours::blocking(&url)?),
        ("rlock", rlock::blocking(&url)?),
    ] {
        let marker = requests.marker();
        let pair = || contender.locked(&format!("asked:blocking:{name}"), &mut || drop(marker.set()));
        counts.push((format!("{name}, blocking"), count(&requests, pair)?));
    }

    let mut found = Findings::default();
    let mut lines = vec![["", "acquire", "release", "what they were"].map(String::from).to_vec()];
    for (name, [acquire, release]) in counts {
        let each = |count: &Count| f64::from(count.total()) / f64::from(PAIRS);
        if name.starts_with(&format!("{},", OURS.name)) {
            for (what, count) in [("acquire", &acquire), ("release", &release)] {
                let figure = format!("requests for one {what}, {name}");
                found.rows.push(Row::alone(&figure, short(each(count)), each(count), Demand::AtMost(1.0)));
            }
        }
        let what = format!("{}; {}", acquire.describe(PAIRS), release.describe(PAIRS));
        lines.push(vec![name, short(each(&acquire)), short(each(&release)), what]);
    }
    found.title = "Requests, as the server counts them".into();
    found.about =
        "Nobody else there; what is sent behind the caller's back is counted with the release.".into();
    found.grid = lines;
    Ok(vec![found])
}

/// The requests for acquiring, and those for releasing, after a few that make everything known.
fn count(requests: &Requests, mut pair: impl FnMut() -> Result) -> Result<[Count; 2]> {
    let mut both = [Count::default(), Count::default()];
    for number in 0..PAIRS + 2 {
        requests.until_now()?;
        pair()?;
        thread::sleep(BEHIND);
        let acquire = requests.next()?;
        let release = requests.until_now()?;
        if number >= 2 {
            both[0].add(acquire);
            both[1].add(release);
        }
    }
    Ok(both)
}
