//! The two kinds of callers, and what tests time them by.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock};
use lock_core::conformance::{Peer, Side, pulse};

/// Both kinds.
pub const SIDES: [Side; 2] = [Side::Blocking, Side::Async];

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(30);

/// Milliseconds.
pub const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// The two kinds of callers, in turn.
pub fn side(round: u32) -> Side {
    SIDES[round as usize % 2]
}

/// Acquires as callers of a kind do.
pub fn acquire(lock: &Lock, side: Side) -> lock::Result<Guard> {
    match side {
        Side::Blocking => lock.acquire(),
        Side::Async => smol::block_on(lock.acquire_async()),
    }
}

/// Releases as callers of a kind do.
pub fn release(guard: &Guard, side: Side) -> lock::Result<()> {
    match side {
        Side::Blocking => guard.release(),
        Side::Async => smol::block_on(guard.release_async()),
    }
}

/// Whether it becomes true within some time.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        thread::sleep(ms(1));
    }
}

/// One count by another.
pub fn ratio(count: u64, by: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(by).unwrap())
}

/// The time since `begin`, less what the machine kept us from running.
pub fn running_since(begin: Instant) -> Duration {
    begin.elapsed().saturating_sub(pulse::stalled_since(begin))
}

/// How long after now the loss of a guard is told; `None` if it is not in time.
pub fn lost_within(guard: &Guard, limit: Duration) -> Option<Duration> {
    let begin = Instant::now();
    let lost = async {
        guard.lost().await;
        true
    };
    let late = async {
        smol::Timer::after(limit).await;
        false
    };
    smol::block_on(smol::future::or(lost, late)).then(|| running_since(begin))
}

/// Waits for a loss that has to be told by the guard's deadline, which a renewal may still move. Returns how late it was.
pub fn told_of_loss(guard: &Guard, ttl: Duration) -> Duration {
    let begin = Instant::now();
    while guard.is_held() && begin.elapsed() < ttl * 4 {
        let left = guard.remaining();
        if let Some(told) = lost_within(guard, left) {
            return told.saturating_sub(left);
        }
    }
    assert!(!guard.is_held(), "not lost");
    lost_within(guard, ms(1000)).expect("told of the loss")
}

/// Kills a process, and waits until it is gone with all its connections.
pub fn kill(peer: &mut Peer) {
    peer.kill();
    peer.end();
}

/// Stops a process, and waits until none of its threads runs any more.
pub fn stop(peer: &Peer) {
    peer.stop();
    let is_stopped = || {
        let threads = fs::read_dir(format!("/proc/{}/task", peer.id())).unwrap();
        let state = |path: PathBuf| fs::read_to_string(path.join("stat")).unwrap_or_default();
        threads.flatten().all(|thread| state(thread.path()).contains(") T "))
    };
    assert!(eventually(LONG, is_stopped));
}
