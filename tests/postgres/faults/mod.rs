//! The network, the server and others who use it fail or interfere, at every point of a lock's life. After each fault
//! nothing is left held, nobody held it twice, and tokens have grown.

mod black_hole;
mod lost_replies;
mod resets;
mod server;
mod sessions;
mod standby;
mod storm;

pub(crate) use sessions::END_ALL;

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Error, Guard, Lock};
use lock_core::conformance::Side;
use tests::{figures::Figures, history::History};

use crate::scene::{LONG, SIDES, Scene, acquire, ms, release, running_since};

/// Does it for both kinds of callers at once, each on a scene of its own, and reports what came of it.
fn for_both_sides(what: &str, ttl: Duration, case: impl Fn(&Scene, Side) -> Figures + Sync) {
    let scenes = SIDES.map(|side| (side, Scene::new(ttl)));
    on_scenes(what, scenes, case);
}

fn on_scenes(what: &str, scenes: [(Side, Scene); 2], case: impl Fn(&Scene, Side) -> Figures + Sync) {
    let parts: Vec<Figures> = thread::scope(|scope| {
        let parts: Vec<_> = scenes.iter().map(|(side, scene)| scope.spawn(|| case(scene, *side))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let histories = scenes.map(|(_, scene)| scene.journal.history());
    let figures = parts.iter().fold(Figures::default(), Figures::with);
    figures.report("postgres", what, histories.iter().map(History::double_holds).sum());
    histories.iter().for_each(History::assert_right);
}

/// Another client has the lock within some time, and then nobody has. Returns how long it took.
fn free_again(scene: &Scene, key: &str, within: Duration) -> Duration {
    let locker = scene.far();
    // Who has to connect first is not as quick.
    locker.ping().unwrap();
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

/// Has every connection made and every statement prepared, so that the next reply is that to the next request.
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
