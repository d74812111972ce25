//! Connections that are reset after each byte of a reply.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::Side;
use tests::figures::Figures;

use super::{assert_is_about_the_store, for_both_sides, free_again, hold, warm_up};
use crate::scene::{
    FREED, LONG, LOOK, Scene, WINDOW, acquire, eventually, lost_within, ms, release, running_since,
};

/// So long that what is free soon was given back.
const TTL: Duration = ms(2000);
/// How long the answer to a change is at most, in bytes.
const OK: usize = 12;

/// How many bytes are answered to what is done.
fn answer(scene: &Scene, done: impl FnOnce()) -> usize {
    let before = scene.proxy.replied();
    done();
    usize::try_from(scene.proxy.replied() - before).unwrap()
}

#[test]
fn an_acquire_that_is_reset_after_any_byte_of_its_answer_is_had_or_leaves_nothing() {
    for_both_sides("resets in the answer to an acquire", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        warm_up(&lock, side);
        let pair = || release(&acquire(&lock, side).unwrap(), side).unwrap();
        for after in 0..=answer(scene, pair) {
            scene.proxy.cut_next_reply(after);
            match acquire(&lock, side) {
                Ok(guard) => {
                    assert_eq!(scene.owner("k"), Some(guard.owner().to_string()));
                    hold(scene, &guard, |guard| release(guard, side)).unwrap();
                }
                Err(error) => assert_is_about_the_store(&error),
            }
            figures.faults += 1;
            // It may still stand in line, and nobody there who comes.
            figures.reacquired(free_again(scene, "k", WINDOW + FREED));
        }
        figures
    });
}

#[test]
fn a_release_that_is_reset_after_any_byte_of_its_answer_is_a_release() {
    for_both_sides("resets in the answer to a release", TTL, |scene, side| {
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
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

#[test]
fn a_renewal_that_is_reset_after_any_byte_of_its_answer_is_asked_again() {
    /// A renewal takes another connection, for which there has to be time.
    const TTL: Duration = ms(1500);
    for_both_sides("resets in the answer to a renewal", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        for after in 0..=OK {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            let before = scene.proxy.sprung();
            scene.proxy.cut_next_reply(after);
            assert!(eventually(TTL, || scene.proxy.sprung() > before));
            figures.faults += 1;
            assert_eq!(lost_within(&guard, TTL), None, "lost by a reset");
            scene.journal.releasing(&guard);
            release(&guard, side).unwrap();
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

/// One who waits through the proxy, for a holder beside it; `cut` is called when the waiter is in line, and `release`d
/// is the lock then. Returns how long the waiter needed after the release.
fn waits_through(
    scene: &Scene,
    side: Side,
    near: &lock::Locker,
    cut: impl FnOnce(),
    later: Duration,
) -> Duration {
    let guard = scene.far().lock("k").acquire().unwrap();
    scene.journal.acquired(&guard);
    let lock = near.lock("k").wait(LONG);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            (Instant::now(), guard)
        });
        assert!(eventually(LONG, || scene.in_line("k") == 1));
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

#[test]
fn a_waiter_that_is_reset_in_the_middle_of_a_look_has_the_lock_soon() {
    for_both_sides("resets in a look of a waiter", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let told = waits_through(scene, side, &near, || (), ms(5));
        assert!(told <= LOOK, "{told:?}");
        for after in (0..150).step_by(7) {
            let took = waits_through(scene, side, &near, || scene.proxy.cut_next_reply(after), ms(5));
            figures.faults += 1;
            figures.reacquired(took);
            assert!(took <= WINDOW + LOOK, "cut after {after}: {took:?}");
            scene.proxy.pass();
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_waiter_whose_connections_are_reset_while_it_waits_stands_in_line_again() {
    for_both_sides("resets of waiters", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        for round in 0..20 {
            // At once, or when it has had the time to come back.
            let later = if round % 2 == 0 { ms(0) } else { ms(50) };
            let begin = Instant::now();
            let took = waits_through(scene, side, &near, || scene.proxy.reset_all(), later);
            figures.faults += 1;
            figures.reacquired(took);
            assert!(took <= WINDOW + LOOK, "{took:?}, {:?}", running_since(begin));
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}
