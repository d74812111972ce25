//! Memory, nobody else there: acquire and release.

use std::{
    hint::black_box,
    sync::{Arc, Mutex, PoisonError},
};

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, each, interleaved},
};
use dashmap::DashMap;
use key_mutex::KeyMutex;
use keyed_lock::sync::KeyedLock;
use lock::Locker;
use lockable::LockPool;

use crate::Effort;

const KEY: &str = "order:4711";
const COUNT: u32 = 5_000;

pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    let locker = Locker::open("memory://bench-uncontended")?;
    let prepared = locker.lock(KEY);
    // Keys that cost nothing to copy, beside the prepared lock; keys as text, beside the lock made for one use.
    let (lockable, lockable_text) = (LockPool::new(), LockPool::new());
    let (keyed, keyed_text) = (KeyedLock::new(), KeyedLock::new());
    let key_mutex = KeyMutex::<&str, ()>::new();
    let map = DashMap::<String, Arc<Mutex<()>>>::new();
    map.insert(KEY.to_owned(), Arc::default());

    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| each(COUNT, || Ok(black_box(&prepared).acquire()?))),
        Box::new(|| each(COUNT, || Ok(lockable.blocking_lock(black_box(KEY))))),
        Box::new(|| each(COUNT, || Ok(keyed.lock(black_box(KEY))))),
        Box::new(|| each(COUNT, || Ok(key_mutex.lock(black_box(KEY)).map_err(|_| "poisoned")?))),
        Box::new(|| {
            each(COUNT, || {
                let mutex = map.get(black_box(KEY)).map(|mutex| Arc::clone(&mutex)).unwrap_or_default();
                drop(black_box(mutex.lock().unwrap_or_else(PoisonError::into_inner)));
                Ok(())
            })
        }),
        Box::new(|| each(COUNT, || Ok(locker.lock(black_box(KEY)).acquire()?))),
        Box::new(|| each(COUNT, || Ok(lockable_text.blocking_lock(black_box(KEY).to_owned())))),
        Box::new(|| each(COUNT, || Ok(keyed_text.lock(black_box(KEY).to_owned())))),
    ];
    let samples = interleaved(effort.rounds(151), effort.patience(), &mut runs)?;
    let row = |figure: &str, ours: usize, peer: &str, theirs: usize, demand: Demand| {
        let (own, other) = (samples.median(ours), samples.median(theirs));
        Row::beside(figure, own, peer, other, samples.ratio(ours, theirs), demand)
    };
    let (prepared, scratch) = ("memory: acquire + release", "memory: the same, `locker.lock(key)` included");
    Ok(vec![
        row(prepared, 0, "lockable", 1, Demand::Below(1.0)),
        row(prepared, 0, "keyed-lock", 2, Demand::Below(1.0)),
        row(prepared, 0, "key-mutex", 3, Demand::Below(1.0)),
        row(prepared, 0, "map of mutexes, never freed", 4, Demand::AtMost(2.0)),
        row(scratch, 5, "lockable, key as text", 6, Demand::Shown),
        row(scratch, 5, "keyed-lock, key as text", 7, Demand::Shown),
        row(scratch, 5, "map of mutexes, never freed", 4, Demand::Shown),
    ])
}
