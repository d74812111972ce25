//! Memory, one key that two want all the time: how many turns there are, and what a hand-over takes.

use std::{sync::Arc, time::Duration};

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, Samples, interleaved},
};
use lock::Locker;
use lockable::LockPool;
use tokio::{runtime::Builder, sync::Mutex, task::yield_now};

use crate::{Effort, duel};

const KEY: &str = "hot";
const SPAN: Duration = Duration::from_millis(10);

pub(crate) fn throughput(effort: Effort) -> Result<Vec<Row>> {
    let lock = Locker::open("memory://bench-hot")?.lock(KEY);
    let lockable = LockPool::new();
    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| {
            let outcome = duel::threads(SPAN, |ring, who| {
                let guard = lock.acquire()?;
                ring.enter(who);
                drop(guard);
                Ok(())
            });
            Ok(outcome?.turn)
        }),
        Box::new(|| {
            let outcome = duel::threads(SPAN, |ring, who| {
                let guard = lockable.blocking_lock(KEY);
                ring.enter(who);
                drop(guard);
                Ok(())
            });
            Ok(outcome?.turn)
        }),
    ];
    let samples = interleaved(effort.rounds(61), effort.patience(), &mut runs)?;
    // The other way round: throughput, not time.
    let times = samples.ratio(1, 0);
    let figure = "memory: a turn of a key that two threads want";
    let (ours, theirs) = (samples.median(0), samples.median(1));
    Ok(vec![Row::beside(figure, ours, "lockable; ratio of turns", theirs, times, Demand::AtLeast(10.0))])
}

pub(crate) fn hand_over(effort: Effort) -> Result<Vec<Row>> {
    let row = |figure: &str, samples: &Samples| {
        let (ours, theirs, ratio) = (samples.median(0), samples.median(1), samples.ratio(0, 1));
        Row::beside(figure, ours, "fair tokio mutex", theirs, ratio, Demand::AtMost(2.0))
    };
    Ok(vec![
        row("memory: hand-over between two threads", &between_threads(effort)?),
        row("memory: hand-over between two tasks", &between_tasks(effort)?),
    ])
}

fn between_threads(effort: Effort) -> Result<Samples> {
    let lock = Locker::open("memory://bench-hand-over")?.lock(KEY);
    let mutex = Mutex::new(());
    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| {
            let outcome = duel::threads(SPAN, |ring, who| {
                let guard = lock.acquire()?;
                ring.enter(who);
                drop(guard);
                Ok(())
            });
            Ok(outcome?.hand_over)
        }),
        Box::new(|| {
            let outcome = duel::threads(SPAN, |ring, who| {
                let guard = mutex.blocking_lock();
                ring.enter(who);
                drop(guard);
                Ok(())
            });
            Ok(outcome?.hand_over)
        }),
    ];
    interleaved(effort.rounds(61), effort.patience(), &mut runs)
}

/// Each holds the lock over one `await`, so that the other gets in line whatever the threads of the runtime do.
fn between_tasks(effort: Effort) -> Result<Samples> {
    let lock = Arc::new(Locker::open("memory://bench-hand-over-async")?.lock(KEY));
    let mutex = Arc::new(Mutex::new(()));
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| {
            let lock = Arc::clone(&lock);
            let outcome = duel::tasks(&runtime, SPAN, move |ring, who| {
                let lock = Arc::clone(&lock);
                async move {
                    let guard = lock.acquire_async().await?;
                    ring.enter(who);
                    yield_now().await;
                    drop(guard);
                    Ok(())
                }
            });
            Ok(outcome?.hand_over)
        }),
        Box::new(|| {
            let mutex = Arc::clone(&mutex);
            let outcome = duel::tasks(&runtime, SPAN, move |ring, who| {
                let mutex = Arc::clone(&mutex);
                async move {
                    let guard = mutex.lock().await;
                    ring.enter(who);
                    yield_now().await;
                    drop(guard);
                    Ok(())
                }
            });
            Ok(outcome?.hand_over)
        }),
    ];
    interleaved(effort.rounds(61), effort.patience(), &mut runs)
}
