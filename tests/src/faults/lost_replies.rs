//! Requests that were executed and never answered, on a connection that never answers again.

use std::time::{Duration, Instant};

use super::{again, assert_is_about_the_store, for_both_sides, free_again, hold, warm_up};
use crate::{
    callers::{LONG, acquire, eventually, lost_within, ms, release, running_since, told_of_loss},
    figures::Figures,
    scene::Stage,
};

const ROUNDS: u32 = 10;
/// How soon a process has a lock again that it has itself.
const OUT: Duration = Duration::from_secs(2);

pub(super) fn a_lost_reply_to_an_acquire_leaves_nothing_and_locks_nobody_out<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("replies lost on acquire", limits.ttl, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        warm_up(&lock, side);
        for round in 0..ROUNDS {
            scene.proxy.lose_next_reply();
            match acquire(&lock, side) {
                Ok(guard) => hold(scene, &guard, side),
                Err(error) => assert_is_about_the_store(&error),
            }
            figures.faults += 1;
            assert_eq!(scene.proxy.sprung(), u64::from(round) + 1);
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
            let (guard, took) = again(&lock, side);
            hold(scene, &guard, side);
            assert!(took <= OUT, "locked out by oneself for {took:?}");
            figures.reacquired(took);
        }
        figures
    });
}

/// The ttl is so long that what is free soon was given back.
pub(super) fn an_acquire_that_gave_up_without_its_reply_is_given_back<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("acquires given up without a reply", LONG, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let near = scene.near();
            let lock = near.lock("k");
            warm_up(&lock, side);
            let before = scene.server.arrived("k");
            scene.proxy.drop_replies();
            figures.faults += 1;
            assert_is_about_the_store(&acquire(&lock.clone().wait(ms(100)), side).unwrap_err());
            assert!(scene.server.arrived("k") > before, "it never arrived");
            scene.proxy.pass();
            figures.reacquired(free_again(scene, "k", limits.back + limits.given_back));
        }
        figures
    });
}

/// The ttl is so long that what is free soon was given back.
pub(super) fn a_lost_reply_to_a_release_is_a_release<S: Stage>() {
    for_both_sides::<S>("replies lost on release", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        warm_up(&lock, side);
        for round in 0..ROUNDS {
            let (guard, took) = again(&lock, side);
            assert!(took <= OUT, "locked out by oneself for {took:?}");
            scene.journal.acquired(&guard);
            scene.journal.releasing(&guard);
            scene.proxy.lose_next_reply();
            let begin = Instant::now();
            if let Err(error) = release(&guard, side) {
                assert_is_about_the_store(&error);
            }
            let took = running_since(begin);
            assert!(took <= ms(5500), "a release took {took:?}");
            assert_eq!(scene.proxy.sprung(), u64::from(round) + 1);
            figures.faults += 1;
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}

pub(super) fn a_lost_reply_to_a_renewal_is_no_loss_where_there_is_time_to_ask_again<S: Stage>() {
    let ttl = Duration::from_secs(4);
    for_both_sides::<S>("replies lost on renewal, ttl 4 s", ttl, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        for round in 0..2 {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            scene.proxy.lose_next_reply();
            assert!(eventually(ttl, || scene.proxy.sprung() > round));
            figures.faults += 1;
            assert_eq!(lost_within(&guard, ttl * 3 / 2), None, "lost by one reply");
            scene.journal.releasing(&guard);
            release(&guard, side).unwrap();
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}

pub(super) fn replies_that_never_come_are_a_loss_told_by_the_deadline<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("all replies lost while held", limits.ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..5 {
            let guard = acquire(&scene.near().lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            scene.proxy.drop_replies();
            figures.faults += 1;
            let late = told_of_loss(&guard, limits.ttl);
            scene.journal.releasing(&guard);
            assert!(late <= limits.telling, "told {late:?} after the deadline");
            figures.told(late);
            assert!(guard.check().unwrap_err().is_lost());
            let error = release(&guard, side).unwrap_err();
            assert!(error.is_lost(), "{error:?}");
            // The renewals were executed.
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
            scene.proxy.pass();
            scene.proxy.reset_all();
        }
        figures
    });
}
