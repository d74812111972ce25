//! Networks that swallow everything for longer than a lease lasts, and those that deliver it when it is over.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{again, assert_is_about_the_store, for_both_sides, free_again, hold, warm_up};
use crate::{
    callers::{LONG, acquire, eventually, ms, release, running_since, told_of_loss},
    figures::Figures,
    scene::Stage,
};

pub(super) fn a_black_hole_longer_than_the_ttl_is_a_loss_and_leaves_nothing<S: Stage>() {
    let limits = S::LIMITS;
    let ttl = limits.ttl;
    for_both_sides::<S>("black holes while held", ttl, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        for _ in 0..5 {
            let guard = acquire(&near.lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.proxy.black_hole();
            let begin = Instant::now();
            figures.faults += 1;
            let late = told_of_loss(&guard, ttl);
            scene.journal.releasing(&guard);
            assert!(late <= limits.telling, "told {late:?} after the deadline");
            figures.told(late);
            let successor = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&successor);
            let freed = running_since(begin);
            assert!(freed <= ttl + limits.freed, "free after {freed:?}");
            figures.reacquired(freed);
            assert!(release(&guard, side).unwrap_err().is_lost());
            drop(guard);
            scene.proxy.pass();
            thread::sleep(ttl / 2);
            assert!(successor.is_held(), "taken by one who had lost it");
            scene.journal.releasing(&successor);
            release(&successor, side).unwrap();
            let (guard, took) = again(&near.lock("k"), side);
            assert!(took <= limits.back, "had again {took:?} after the hole");
            figures.reacquired(took);
            hold(scene, &guard, side);
        }
        figures
    });
}

pub(super) fn an_acquire_in_a_black_hole_is_an_error_in_time_and_leaves_nothing<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("black holes on acquire", LONG, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        warm_up(&lock, side);
        for _ in 0..3 {
            scene.proxy.black_hole();
            figures.faults += 1;
            let begin = Instant::now();
            assert_is_about_the_store(&acquire(&lock.clone().wait(ms(300)), side).unwrap_err());
            let took = running_since(begin);
            assert!(took <= ms(300) + ms(1150), "told after {took:?}");
            figures.reacquired(free_again(scene, "k", limits.given_back));
            scene.proxy.pass();
            let (guard, took) = again(&lock, side);
            hold(scene, &guard, side);
            assert!(took <= limits.back, "had again {took:?} after the hole");
            figures.reacquired(took);
        }
        figures
    });
}

pub(super) fn what_arrives_after_its_sender_gave_up_leaves_nothing<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("requests delivered too late", limits.ttl, |scene, side| {
        let (near, mut figures) = (scene.near(), Figures::default());
        let lock = near.lock("k");
        for _ in 0..3 {
            warm_up(&lock, side);
            scene.proxy.hold();
            figures.faults += 1;
            let before = scene.server.arrived("k");
            assert_is_about_the_store(&acquire(&lock.clone().wait(ms(100)), side).unwrap_err());
            thread::sleep(limits.ttl);
            scene.proxy.pass();
            assert!(eventually(LONG, || scene.server.arrived("k") > before), "it never arrived");
            // An acquire may arrive after the release that was to follow it, and then lasts its ttl.
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
        }
        figures
    });
}

pub(super) fn renewals_and_releases_that_arrive_too_late_change_nothing<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("renewals and releases delivered too late", limits.ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.near().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.proxy.hold();
            figures.faults += 1;
            figures.told(told_of_loss(&guard, limits.ttl));
            scene.journal.releasing(&guard);
            let successor = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&successor);
            assert!(release(&guard, side).unwrap_err().is_lost());
            scene.proxy.pass();
            thread::sleep(limits.ttl);
            assert!(successor.is_held(), "somebody else's was released");
            assert_eq!(scene.owner("k"), Some(successor.owner().to_string()));
            scene.journal.releasing(&successor);
            release(&successor, side).unwrap();
            figures.reacquired(free_again(scene, "k", limits.given_back));
        }
        figures
    });
}

pub(super) fn a_waiter_in_a_black_hole_does_not_keep_the_others_waiting<S: Stage>() {
    for_both_sides::<S>("waiters in a black hole", LONG, |scene, side| {
        let (near, far, mut figures) = (scene.near(), scene.far(), Figures::default());
        for _ in 0..5 {
            let guard = scene.far().lock("k").acquire().unwrap();
            let (dark, lock) = (near.lock("k").wait(LONG), far.lock("k").wait(LONG));
            thread::scope(|scope| {
                let in_the_dark = scope.spawn(move || release(&acquire(&dark, side).unwrap(), side));
                scene.wait_in_line("k", 1);
                scene.proxy.black_hole();
                figures.faults += 1;
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side).unwrap();
                    (Instant::now(), guard)
                });
                scene.wait_in_line("k", 2);
                let begin = Instant::now();
                guard.release().unwrap();
                let (had, guard) = waiter.join().unwrap();
                assert!(had - begin <= S::LIMITS.passed_over, "{:?}", had - begin);
                figures.reacquired(had - begin);
                scene.proxy.pass();
                let begin = Instant::now();
                release(&guard, side).unwrap();
                in_the_dark.join().unwrap().unwrap();
                // It finds out by its heartbeat that nobody hears it, or a look has a limit.
                let took = running_since(begin);
                assert!(took <= Duration::from_secs(8), "{took:?}");
            });
        }
        figures
    });
}
