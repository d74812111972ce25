//! Two who want one lock all the time, and how often it changed hands.

use std::{
    future::Future,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use benches::{Result, rounds::nanos};
use tokio::runtime::Runtime;

/// Where the lock is fought for. Only touched by who has the lock, so that no order is needed between its fields.
#[derive(Default)]
pub(crate) struct Ring {
    last: AtomicUsize,
    turns: AtomicU32,
    changes: AtomicU32,
}

impl Ring {
    /// What is done under the lock.
    pub(crate) fn enter(&self, who: usize) {
        self.turns.store(self.turns.load(Relaxed) + 1, Relaxed);
        if self.last.load(Relaxed) != who {
            self.last.store(who, Relaxed);
            self.changes.store(self.changes.load(Relaxed) + 1, Relaxed);
        }
    }
}

/// What a turn took, and what a hand-over from one to the other took.
pub(crate) struct Outcome {
    pub(crate) turn: f64,
    pub(crate) hand_over: f64,
}

impl Outcome {
    fn new(ring: &Ring, span: Duration) -> Self {
        let each = |count: &AtomicU32| nanos(span) / f64::from(count.load(Relaxed));
        Self { turn: each(&ring.turns), hand_over: each(&ring.changes) }
    }
}

/// Two threads for `span`. `section` takes the lock, enters the ring with the number it was given, and releases.
pub(crate) fn threads(span: Duration, section: impl Fn(&Ring, usize) -> Result + Sync) -> Result<Outcome> {
    let (ring, start) = (Ring::default(), Barrier::new(2));
    let fight = |who: usize| {
        start.wait();
        let begun = Instant::now();
        while begun.elapsed() < span {
            section(&ring, who)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| fight(1));
        let own: Result = fight(0);
        own.and(other.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })?;
    Ok(Outcome::new(&ring, span))
}

/// Two tasks for `span`, on a runtime with two threads.
pub(crate) fn tasks<F>(
    runtime: &Runtime,
    span: Duration,
    section: impl Fn(Arc<Ring>, usize) -> F + Clone + Send + 'static,
) -> Result<Outcome>
where
    F: Future<Output = Result> + Send,
{
    let ring = Arc::new(Ring::default());
    let fight = |who: usize| {
        let (ring, section) = (Arc::clone(&ring), section.clone());
        runtime.spawn(async move {
            let begun = Instant::now();
            while begun.elapsed() < span {
                section(Arc::clone(&ring), who).await?;
            }
            Ok(())
        })
    };
    let both = [fight(0), fight(1)];
    for fighter in both {
        let end: Result = runtime.block_on(fighter)?;
        end?;
    }
    Ok(Outcome::new(&ring, span))
}
