//! For a profiler.

use benches::{Result, report::time, rounds::each};

use crate::{
    calls::{crowd, pairs, timed},
    contender::{OURS, named},
    contenders::{ours, raw},
    stage::{Threads, players},
};

/// Nothing but pairs of one contender, for a profiler to look at.
pub(crate) fn over_and_over(name: &str, url: &str, way: &str, count: u32) -> Result {
    let took = if way == "blocking" {
        let contender = if name == OURS.name { ours::blocking(url)? } else { raw::pool(url, 1)? };
        each(count, || contender.locked("profiled", &mut || ()))?
    } else {
        let threads = if way.ends_with("one") { Threads::One } else { Threads::Many };
        let runtime = threads.runtime()?;
        let player = players(&runtime, &[named(name)?], url, "profiled")?.remove(0);
        let mut run = match way {
            "crowd" | "crowd of one" => crowd(&runtime, &player, 64, count),
            _ => timed(&runtime, &player, count, pairs),
        };
        run()?
    };
    println!("{name}, {way}: {}", time(took));
    Ok(())
}
