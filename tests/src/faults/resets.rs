//! Connections that are reset after each byte of a reply. The ttl is so long that what is free soon was given back.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Locker;
use lock_core::conformance::Side;

use super::{assert_is_about_the_store, for_both_sides, free_again, has, hold, warm_up};
use crate::{
    callers::{LONG, acquire, eventually, lost_within, ms, release, running_since},
    figures::Figures,
    scene::{Scene, Stage},
};

/// How many bytes are answered to what is done.
fn answer<S: Stage>(scene: &Scene<S>, done: impl FnOnce()) -> usize {
    let before = scene.proxy.replied();
    done();
    usize::try_from(scene.proxy.replied() - before).unwrap()
}

pub(super) fn an_acquire_that_is_reset_after_any_byte_of_its_answer_is_had_or_leaves_nothing<S: Stage>() {
    for_both_sides::<S>("resets in the answer to an acquire", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        warm_up(&lock, side);
        let pair = || release(&acquire(&lock, side).unwrap(), side).unwrap();
        for after in 0..=answer(scene, pair) {
            scene.proxy.cut_next_reply(after);
            match acquire(&lock, side) {
                Ok(guard) => {
                    assert_eq!(scene.owner("k"), Some(guard.owner().to_string()));
                    hold(scene, &guard, side);
                }
                Err(error) => assert_is_about_the_store(&error),
            }
            figures.faults += 1;
            figures.reacquired(free_again(scene, "k", S::LIMITS.unanswered));
        }
        figures
    });
}

pub(super) fn a_release_that_is_reset_after_any_byte_of_its_answer_is_a_release<S: Stage>() {
    for_both_sides::<S>("resets in the answer to a release", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        warm_up(&lock, side);
        let guard = acquire(&lock, side).unwrap();
        for after in 0..=answer(scene, || release(&guard, side).unwrap()) {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            scene.journal.releasing(&guard);
            scene.proxy.cut_next_reply(after);
            if let Err(error) = release(&guard, side) {
                assert_is_about_the_store(&error);
            }
            figures.faults += 1;
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}

pub(super) fn a_renewal_that_is_reset_after_any_byte_of_its_answer_is_asked_again<S: Stage>() {
    let (ttl, (last, step)) = (S::LIMITS.renewal, S::LIMITS.renewal_cuts);
    for_both_sides::<S>("resets in the answer to a renewal", ttl, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        for after in (0..=last).step_by(step) {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            let before = scene.proxy.sprung();
            scene.proxy.cut_next_reply(after);
            assert!(eventually(ttl, || scene.proxy.sprung() > before));
            figures.faults += 1;
            assert_eq!(lost_within(&guard, ttl * 2), None, "lost by a reset");
            scene.journal.releasing(&guard);
            release(&guard, side).unwrap();
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}

/// One who waits through the proxy, for a holder beside it; `cut` is called when the waiter is in line, and `release`d
/// is the lock then. Returns how long the waiter needed after the release.
fn waits_through<S: Stage>(
    scene: &Scene<S>,
    side: Side,
    near: &Locker,
    cut: impl FnOnce(),
    later: Duration,
) -> Duration {
    let guard = scene.far().lock("k").acquire().unwrap();
    scene.journal.acquired(&guard);
    let lock = near.lock("k").wait(LONG);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || has(scene, &lock, side));
        scene.wait_in_line("k", 1);
        cut();
        thread::sleep(later);
        let begin = Instant::now();
        scene.journal.releasing(&guard);
        guard.release().unwrap();
        let (had, successor) = waiter.join().unwrap();
        scene.journal.releasing(&successor);
        release(&successor, side).unwrap();
        had - begin
    })
}

pub(super) fn a_waiter_that_is_reset_in_the_middle_of_being_told_has_the_lock_soon<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("resets in the telling of a grant", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let told = waits_through(scene, side, &near, || (), ms(5));
        assert!(told <= limits.look, "{told:?}");
        for after in (0..150).step_by(7) {
            let took = waits_through(scene, side, &near, || scene.proxy.cut_next_reply(after), ms(5));
            figures.faults += 1;
            figures.reacquired(took);
            assert!(took <= limits.passed_over, "cut after {after}: {took:?}");
            scene.proxy.pass();
        }
        figures.reacquired(free_again(scene, "k", limits.given_back));
        figures
    });
}

pub(super) fn a_waiter_whose_connections_are_reset_while_it_waits_stands_in_line_again<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("resets of waiters", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        for round in 0..20 {
            // At once, or when it has had the time to come back.
            let later = if round % 2 == 0 { ms(0) } else { ms(50) };
            let begin = Instant::now();
            let took = waits_through(scene, side, &near, || scene.proxy.reset_all(), later);
            figures.faults += 1;
            figures.reacquired(took);
            assert!(took <= limits.passed_over, "{took:?}, {:?}", running_since(begin));
        }
        figures.reacquired(free_again(scene, "k", limits.given_back));
        figures
    });
}
