//! The network and the server fail, at every point of a lock's life. After each fault nothing is left held, nobody held
//! it twice, and tokens have grown.

mod black_hole;
mod lost_replies;
mod resets;
mod server;
mod storm;

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Error, Guard, Lock};
use lock_core::conformance::Side;
use tests::{history::History, report};

use crate::scene::{LONG, SIDES, Scene, acquire, lost_within, ms, release, running_since};

/// What came of faults of a kind.
#[derive(Debug, Default)]
struct Figures {
    faults: u32,
    /// The longest after a fault, or after its end, until somebody had the lock who wanted it.
    reacquired: Duration,
    /// The longest after its deadline until a guard was told of its loss.
    told: Duration,
    told_any: bool,
}

impl Figures {
    fn reacquired(&mut self, after: Duration) {
        self.reacquired = self.reacquired.max(after);
    }

    fn told(&mut self, late: Duration) {
        self.told_any = true;
        self.told = self.told.max(late);
    }

    fn with(self, other: &Self) -> Self {
        Self {
            faults: self.faults + other.faults,
            reacquired: self.reacquired.max(other.reacquired),
            told: self.told.max(other.told),
            told_any: self.told_any || other.told_any,
        }
    }

    fn report(&self, what: &str, double_holds: usize) {
        let told =
            if self.told_any { format!("{:?} after the deadline", self.told) } else { "none lost".into() };
        report(&format!(
            "redis: {what}: {} faults, {double_holds} double holds, worst re-acquire {:?}, worst notice of loss: {told}",
            self.faults, self.reacquired
        ));
    }
}

/// Does it for both kinds of callers at once, each on a scene of its own, and reports what came of it.
fn for_both_sides(what: &str, ttl: Duration, case: impl Fn(&Scene, Side) -> Figures + Sync) {
    let scenes = SIDES.map(|side| (side, Scene::new(ttl)));
    let parts: Vec<Figures> = thread::scope(|scope| {
        let parts: Vec<_> = scenes.iter().map(|(side, scene)| scope.spawn(|| case(scene, *side))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let histories = scenes.map(|(_, scene)| scene.journal.history());
    let figures = parts.iter().fold(Figures::default(), Figures::with);
    figures.report(what, histories.iter().map(History::double_holds).sum());
    histories.iter().for_each(History::assert_right);
}

/// Another client has the lock within some time, and then nobody has. Returns how long it took.
fn free_again(scene: &Scene, key: &str, within: Duration) -> Duration {
    let begin = Instant::now();
    let guard = scene.far().lock(key).wait(within + ms(2000)).acquire().expect("free");
    let took = running_since(begin);
    scene.journal.acquired(&guard);
    assert!(took <= within, "free after {took:?}");
    scene.journal.releasing(&guard);
    guard.release().unwrap();
    let begin = Instant::now();
    while begin.elapsed() < ms(100) {
        assert_eq!(scene.server.ask(&["EXISTS", &format!("lock:{key}")]).int(), 0, "taken again by nobody");
        thread::sleep(ms(10));
    }
    took
}

/// Has every connection made and every script known, so that the next reply is that to the next request.
fn warm_up(lock: &Lock, side: Side) {
    for _ in 0..3 {
        release(&acquire(lock, side).unwrap(), side).unwrap();
    }
}

/// Has the lock by a client that was cut off, at whatever call; returns how long it took. A call that finds its
/// connection dead may say so.
fn again(lock: &Lock, side: Side) -> (Guard, Duration) {
    let begin = Instant::now();
    loop {
        match acquire(&lock.clone().wait(LONG), side) {
            Ok(guard) => return (guard, running_since(begin)),
            Err(error) => assert_is_about_the_store(&error),
        }
        assert!(begin.elapsed() < LONG, "never again");
    }
}

/// Notes a hold and ends it.
fn hold(scene: &Scene, guard: &Guard, release: impl FnOnce(&Guard) -> lock::Result<()>) -> lock::Result<()> {
    scene.journal.acquired(guard);
    scene.journal.releasing(guard);
    release(guard)
}

/// What a failing server may be told as.
fn assert_is_about_the_store(error: &Error) {
    assert!(matches!(error, Error::Backend { .. } | Error::Timeout { .. }), "{error:?}");
    assert!(error.is_retryable() || error.is_locked(), "{error:?}");
}

/// Waits for a loss that has to be told by the guard's deadline, which a renewal may still move. Returns how late it was.
fn told_of_loss(guard: &Guard, ttl: Duration) -> Duration {
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
