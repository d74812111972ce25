//! How much the machine kept this process from running.
//!
//! A bound on time is a promise about the library, not about a busy machine. A thread that sleeps in short steps notes
//! by how much it overslept; a case allows itself what was noted while it measured.

use std::{
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

const STEP: Duration = Duration::from_millis(4);
/// Oversleeping by less is the ordinary grain of timers.
const GRAIN: Duration = Duration::from_millis(1);

static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// By how much this process was kept from running since `begin`.
pub fn stalled_since(begin: Instant) -> Duration {
    start();
    let stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
    stalls.iter().rev().take_while(|(at, _)| *at >= begin).map(|(_, by)| *by).sum()
}

/// The time since `begin`, less what the machine kept us from running.
pub fn running_since(begin: Instant) -> Duration {
    begin.elapsed().saturating_sub(stalled_since(begin))
}

/// Begins to listen; the first case does so.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            loop {
                let begin = Instant::now();
                thread::sleep(STEP);
                let by = begin.elapsed().saturating_sub(STEP);
                if by > GRAIN {
                    let mut stalls = STALLS.lock().unwrap_or_else(PoisonError::into_inner);
                    stalls.push((Instant::now(), by));
                }
            }
        });
    });
}
