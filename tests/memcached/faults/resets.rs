//! Connections that are reset after each byte of a reply.

use tests::figures::Figures;

use super::{assert_is_about_the_store, for_both_sides, free_again, hold, warm_up};
use crate::scene::{FREED, LONG, Scene, TTL, acquire, eventually, lost_within, release};

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
                    assert!(scene.is_held("k"));
                    hold(scene, &guard, side);
                }
                Err(error) => assert_is_about_the_store(&error),
            }
            figures.faults += 1;
            figures.reacquired(free_again(scene, "k", FREED));
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
    for_both_sides("resets in the answer to a renewal", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        for after in (0..60).step_by(12) {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            let before = scene.proxy.sprung();
            scene.proxy.cut_next_reply(after);
            assert!(eventually(TTL, || scene.proxy.sprung() > before));
            figures.faults += 1;
            assert_eq!(lost_within(&guard, TTL * 2), None, "lost by a reset");
            scene.journal.releasing(&guard);
            release(&guard, side).unwrap();
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}
