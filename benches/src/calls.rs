//! What a task does over and over where nobody else wants the lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio::runtime::Runtime;

use crate::{
    Result,
    contender::{Answer, Contender},
    rounds::{Run, nanos},
    stage::Player,
};

/// Something to be done so many times with a contender and a key.
pub type Call = fn(Arc<dyn Contender>, String, u32) -> Answer<'static>;

/// What one of `count` calls takes in a task of a runtime.
pub fn timed<'a>(runtime: &'a Runtime, player: &'a Player, count: u32, call: Call) -> Run<'a> {
    Box::new(move || {
        let (contender, key, name) = (Arc::clone(&player.contender), player.key.clone(), player.name);
        runtime.block_on(runtime.spawn(async move {
            let begun = Instant::now();
            call(contender, key, count).await.map_err(|error| format!("{name}: {error}"))?;
            Ok(nanos(begun.elapsed()) / f64::from(count))
        }))?
    })
}

/// Acquire and release.
pub fn pairs(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
    Box::pin(async move {
        for _ in 0..count {
            contender.locked(&key, Box::pin(async {})).await?;
        }
        Ok(())
    })
}

/// The same, with a key that was never used before.
pub fn pairs_of_new_keys(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
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
pub fn drops(contender: Arc<dyn Contender>, key: String, count: u32) -> Answer<'static> {
    Box::pin(async move {
        for _ in 0..count {
            contender.dropped(&key).ok_or("it has no guard to drop")?.await?;
        }
        Ok(())
    })
}

/// What one of the pairs of all tasks together takes.
pub fn crowd<'a>(runtime: &'a Runtime, player: &'a Player, tasks: u32, pairs: u32) -> Run<'a> {
    Box::new(move || {
        let task = |number: u32| {
            let (contender, name) = (Arc::clone(&player.contender), player.name);
            let key = format!("{}:{number}", player.key);
            runtime.spawn(async move {
                for _ in 0..pairs {
                    let locked = contender.locked(&key, Box::pin(async {})).await;
                    locked.map_err(|error| format!("{name}: {error}"))?;
                }
                Result::Ok(())
            })
        };
        let begun = Instant::now();
        let spawned: Vec<_> = (0..tasks).map(task).collect();
        for task in spawned {
            runtime.block_on(task)??;
        }
        Ok(nanos(begun.elapsed()) / f64::from(tasks * pairs))
    })
}
