//! The network and the server fail, at every point of a lock's life. After each fault nothing is left held, nobody held
//! it twice, and tokens have grown.
//!
//! The cases are written once, over a [`Stage`], and [`fault_suite!`](crate::fault_suite) makes tests of them.

mod black_hole;
mod database;
mod forgetting;
mod lost_replies;
mod resets;
mod restarts;
mod server;
mod sessions;
pub mod storm;
mod suite;

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Error, Guard, Lock};
use lock_core::conformance::Side;

pub use self::suite::cases;
use crate::{
    callers::{LONG, SIDES, acquire, ms, release, running_since},
    figures::Figures,
    history::History,
    scene::{Scene, Stage},
};

/// Does it for both kinds of callers at once, each on a scene of its own, and reports what came of it.
pub fn for_both_sides<S: Stage>(what: &str, ttl: Duration, case: impl Fn(&Scene<S>, Side) -> Figures + Sync) {
    on_servers(what, ttl, S::start, case);
}

/// The same, on servers of some kind.
pub fn on_servers<S: Stage>(
    what: &str,
    ttl: Duration,
    server: impl Fn() -> S,
    case: impl Fn(&Scene<S>, Side) -> Figures + Sync,
) {
    let scenes = SIDES.map(|side| (side, Scene::on(server(), ttl)));
    let parts: Vec<Figures> = thread::scope(|scope| {
        let parts: Vec<_> = scenes.iter().map(|(side, scene)| scope.spawn(|| case(scene, *side))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let histories = scenes.map(|(_, scene)| scene.journal.history());
    let figures = parts.iter().fold(Figures::default(), Figures::with);
    figures.report(S::NAME, what, histories.iter().map(History::double_holds).sum());
    histories.iter().for_each(History::assert_right);
}

/// Another client has the lock within some time, and then nobody has. Returns how long it took.
pub fn free_again<S: Stage>(scene: &Scene<S>, key: &str, within: Duration) -> Duration {
    let locker = scene.far();
    if S::CONNECTS_SLOWLY {
        locker.ping().unwrap();
    }
    let begin = Instant::now();
    let guard = locker.lock(key).wait(within + ms(2000)).acquire().expect("free");
    let took = running_since(begin);
    scene.journal.acquired(&guard);
    assert!(took <= within, "free after {took:?}");
    scene.journal.releasing(&guard);
    guard.release().unwrap();
    let begin = Instant::now();
    while begin.elapsed() < ms(100) {
        assert_eq!(scene.owner(key), None, "taken again by nobody");
        thread::sleep(ms(10));
    }
    took
}

/// Has every connection made, and every script and statement known, so that the next reply is that to the next request.
pub fn warm_up(lock: &Lock, side: Side) {
    for _ in 0..3 {
        release(&acquire(lock, side).unwrap(), side).unwrap();
    }
}

/// Has the lock by a client that was cut off, at whatever call; returns how long it took. A call that finds its
/// connection dead may say so.
pub fn again(lock: &Lock, side: Side) -> (Guard, Duration) {
    let begin = Instant::now();
    loop {
        match acquire(&lock.clone().wait(LONG), side) {
            Ok(guard) => return (guard, running_since(begin)),
            Err(error) => assert_is_about_the_store(&error),
        }
        assert!(begin.elapsed() < LONG, "never again");
    }
}

/// Waits for a lock and notes it. Returns when it was had, too.
fn has<S: Stage>(scene: &Scene<S>, lock: &Lock, side: Side) -> (Instant, Guard) {
    let guard = acquire(lock, side).unwrap();
    scene.journal.acquired(&guard);
    (Instant::now(), guard)
}

/// Notes a hold and ends it.
pub fn hold<S: Stage>(scene: &Scene<S>, guard: &Guard, side: Side) {
    scene.journal.acquired(guard);
    scene.journal.releasing(guard);
    release(guard, side).unwrap();
}

/// Releases, however often the connection is found dead.
pub fn release_at_last(guard: &Guard, side: Side) {
    let begin = Instant::now();
    while let Err(error) = release(guard, side) {
        assert_is_about_the_store(&error);
        assert!(begin.elapsed() < LONG, "never released");
    }
}

/// What a failing server may be told as.
pub fn assert_is_about_the_store(error: &Error) {
    assert!(matches!(error, Error::Backend { .. } | Error::Timeout { .. }), "{error:?}");
    assert!(error.is_retryable() || error.is_locked(), "{error:?}");
}
