//! Requests that were executed and never answered, on a connection that never answers again.

use std::time::{Duration, Instant};

use tests::figures::Figures;

use super::{again, assert_is_about_the_store, for_both_sides, free_again, hold, warm_up};
use crate::scene::{
    FREED, LONG, TELLING, acquire, eventually, lost_within, ms, release, running_since, told_of_loss,
};

const TTL: Duration = ms(600);
const ROUNDS: u32 = 10;

#[test]
fn a_lost_reply_to_an_acquire_leaves_nothing_and_locks_nobody_out() {
    for_both_sides("replies lost on acquire", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        warm_up(&lock, side);
        for round in 0..ROUNDS {
            scene.proxy.lose_next_reply();
            match acquire(&lock, side) {
                Ok(guard) => hold(scene, &guard, |guard| release(guard, side)).unwrap(),
                Err(error) => assert_is_about_the_store(&error),
            }
            figures.faults += 1;
            assert_eq!(scene.proxy.sprung(), u64::from(round) + 1);
            figures.reacquired(free_again(scene, "k", TTL + FREED));
            let (guard, took) = again(&lock, side);
            hold(scene, &guard, |guard| release(guard, side)).unwrap();
            assert!(took <= Duration::from_secs(2), "locked out by oneself for {took:?}");
            figures.reacquired(took);
        }
        figures
    });
}

#[test]
fn a_lost_reply_to_a_release_is_a_release() {
    for_both_sides("replies lost on release", TTL, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k").wait(LONG);
        warm_up(&lock, side);
        for round in 0..ROUNDS {
            let (guard, took) = again(&lock, side);
            assert!(took <= Duration::from_secs(2), "locked out by oneself for {took:?}");
            scene.journal.acquired(&guard);
            scene.journal.releasing(&guard);
            scene.proxy.lose_next_reply();
            let begin = Instant::now();
            if let Err(error) = release(&guard, side) {
                assert_is_about_the_store(&error);
            }
            let took = running_since(begin);
            assert!(took <= Duration::from_millis(5500), "a release took {took:?}");
            assert_eq!(scene.proxy.sprung(), u64::from(round) + 1);
            figures.faults += 1;
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

#[test]
fn a_lost_reply_to_a_renewal_is_no_loss_where_there_is_time_to_ask_again() {
    let ttl = Duration::from_secs(4);
    for_both_sides("replies lost on renewal, ttl 4 s", ttl, |scene, side| {
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
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

#[test]
fn replies_that_never_come_are_a_loss_told_by_the_deadline() {
    for_both_sides("all replies lost while held", TTL, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..5 {
            let guard = acquire(&scene.near().lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            scene.proxy.drop_replies();
            figures.faults += 1;
            let late = told_of_loss(&guard, TTL);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            assert!(guard.check().unwrap_err().is_lost());
            let error = release(&guard, side).unwrap_err();
            assert!(error.is_lost(), "{error:?}");
            // The renewals were executed.
            figures.reacquired(free_again(scene, "k", TTL + FREED));
            scene.proxy.pass();
            scene.proxy.reset_all();
        }
        figures
    });
}
