//! Servers that are killed and come back, with what they knew.

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use lock::Guard;
use lock_core::conformance::{Side, pulse};

use super::{assert_is_about_the_store, free_again, on_servers, release_at_last, warm_up};
use crate::{
    callers::{LONG, acquire, lost_within, ms, release},
    figures::Figures,
    scene::{Keeps, Scene, Stage},
};

/// One who holds, one who waits, and a server that is killed and started again after some time. The rest is told them.
pub(super) fn restarted<S: Stage>(
    scene: &Scene<S>,
    side: Side,
    gone: Duration,
    rest: impl FnOnce(&Guard, ScopedJoinHandle<'_, (Instant, Guard)>),
) {
    let guard = acquire(&scene.far().lock("k"), side).unwrap();
    scene.journal.acquired(&guard);
    let lock = scene.far().lock("k").wait(LONG);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            loop {
                // A server that is away is an error of the call; who wants the lock calls again.
                match acquire(&lock, side) {
                    Ok(guard) => {
                        scene.journal.acquired(&guard);
                        break (Instant::now(), guard);
                    }
                    Err(error) => assert_is_about_the_store(&error),
                }
                thread::sleep(ms(5));
            }
        });
        scene.wait_in_line("k", 1);
        scene.server.kill9();
        thread::sleep(gone);
        scene.server.restart();
        rest(&guard, waiter);
    });
}

pub(super) fn a_guard_goes_on_through_a_restart_that_is_shorter_than_its_ttl<S: Keeps>() {
    on_servers("servers killed and back in time", S::RESTART, S::lasting, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            figures.faults += 1;
            restarted(scene, side, ms(300), |guard, waiter| {
                assert_eq!(lost_within(guard, S::RESTART * 3 / 2), None, "lost by a short restart");
                scene.journal.releasing(guard);
                let begin = Instant::now();
                release(guard, side).unwrap();
                let (had, successor) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                let took = took.saturating_sub(pulse::stalled_since(begin));
                assert!(took <= S::RESUMED, "{took:?} after the release");
                figures.reacquired(took);
                assert!(successor.fencing_token() > guard.fencing_token());
                scene.journal.releasing(&successor);
                release(&successor, side).unwrap();
            });
        }
        figures
    });
}

pub(super) fn what_was_granted_just_before_a_crash_is_still_held_after_it<S: Keeps>() {
    on_servers("servers killed just after a grant", LONG, S::hasty, |scene, side| {
        let mut figures = Figures::default();
        let lock = scene.far().lock("k");
        warm_up(&lock, side);
        for _ in 0..3 {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.kill9();
            scene.server.restart();
            figures.faults += 1;
            assert_eq!(scene.owner("k"), Some(guard.owner().to_string()), "forgotten");
            scene.journal.releasing(&guard);
            release_at_last(&guard, side);
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}
