//! Sessions that the server, or somebody in charge of it, ends.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{for_both_sides, free_again, has, release_at_last};
use crate::{
    callers::{LONG, acquire, lost_within, ms},
    figures::Figures,
    scene::Ends,
};

pub(super) fn sessions_that_are_ended_while_it_is_held_take_nothing_away<S: Ends>() {
    let ttl = Duration::from_secs(3);
    for_both_sides::<S>("sessions ended while held", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        for round in 0..10 {
            let guard = acquire(&locker.lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.end_sessions();
            figures.faults += 1;
            if round == 0 {
                // A renewal meets its dead connection.
                assert_eq!(lost_within(&guard, ttl * 3 / 2), None, "lost with a session");
            }
            scene.journal.releasing(&guard);
            release_at_last(&guard, side);
            figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        }
        figures
    });
}

pub(super) fn sessions_that_are_ended_all_the_time_while_it_is_waited_for_stall_nobody<S: Ends>() {
    for_both_sides::<S>("sessions ended while waited for", LONG, |scene, side| {
        let (locker, waiting, mut figures) = (scene.far(), scene.far(), Figures::default());
        for _ in 0..10 {
            let guard = acquire(&locker.lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            let lock = waiting.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || has(scene, &lock, side));
                scene.wait_in_line("k", 1);
                for _ in 0..5 {
                    scene.server.end_sessions();
                    figures.faults += 1;
                    thread::sleep(ms(20));
                }
                scene.journal.releasing(&guard);
                release_at_last(&guard, side);
                let begin = Instant::now();
                let (had, successor) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= S::LIMITS.freed, "{took:?}");
                figures.reacquired(took);
                scene.journal.releasing(&successor);
                release_at_last(&successor, side);
            });
        }
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}
