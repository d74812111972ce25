//! What a task does over and over where nobody else wants the lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use benches::{
    Result,
    report::time,
    rounds::{Run, each, nanos},
};
use tokio::runtime::Runtime;

use crate::{
    contender::{Answer, Contender, OURS, named},
    contenders::{ours, raw},
    crowd::crowd,
    stage::{Player, Threads, players},
};

/// Something to be done so many times with a contender and a key.
pub(crate) type Call = fn(Arc<dyn Contender>, String, u32) -> Answer<'static>;

/// What one of `count` calls takes in a task of a runtime.
pub(crate) fn timed<'a>(runtime: &'a Runtime, player: &'a Player, count: u32, call: Call) -> Run<'a> {
    Box::new(move || {
        let (contender, key, name) = (Arc::clone(&player.contender), player.key.clone(), player.name);
        runtime.block_on(runtime.spawn(async move {
            let begun = Instant::now();
            call(contender, key, count).await.map_err(|error| format!("{name}: {error}"))?;
            Ok(nanos(begun.elapsed()) / f64::from(count))
        }))?
    })
}

/// Nothing but pairs of one contender, for a profiler to look at.
pub(crate) fn over_and_over(name: &str, url: &str, way: &str, count: u32) -> Result {
    let took = if way == "blocking" {
        let contender = if name == OURS.name { ours::blocking(url)? } else { raw::pool(url, 1)? };
        each(count, || contender.locked("profiled", &mut || ()))?
    } else {
        let threads = if way == "one" { Threads::One } else { Threads::Many };
        let runtime = threads.runtime()?;
        let player = players(&runtime, &[named(name)?], url, "profiled")?.remove(0);
        let mut run = match way {
            "crowd" => crowd(&runtime, &player, count),
            _ => timed(&runtime, &player, count, pairs),
        };
        run()?
    };
    println!("{name}, {way}: {}", time(took));
    Ok(())
}

/// Acquire and release.
pub(crate) fn pairs(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
    Box::pin(async move {
        for _ in 0..count {
            contender.locked(&key, Box::pin(async {})).await?;
        }
        Ok(())
    })
}

/// The same, with a key that was never used before.
pub(crate) fn pairs_of_new_keys(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Box::pin(async move {
        for _ in 0..count {
            let key = format!("{key}:{}", LAST.fetch_add(1, Relaxed));
            contender.locked(&key, Box::pin(async {})).await?;
        }
        Ok(())
    })
}

/// Acquire, and drop the guard without waiting for the release: the next acquire comes right behind it.
pub(crate) fn drops(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
    Box::pin(async move {
        for _ in 0..count {
            contender.dropped(&key).ok_or("it has no guard to drop")?.await?;
        }
        Ok(())
    })
}
