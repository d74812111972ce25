//! Servers that stand still, and servers that are away for longer than a lease lasts.

use std::{thread, time::Instant};

use super::{assert_is_about_the_store, for_both_sides, free_again, on_servers};
use crate::{
    callers::{LONG, acquire, lost_within, ms, release, running_since, told_of_loss},
    figures::Figures,
    scene::Stage,
};

pub(super) fn a_server_that_stands_still_for_less_than_the_ttl_takes_nothing_away<S: Stage>() {
    let ttl = S::LIMITS.roomy;
    for_both_sides::<S>("servers stopped for less than the ttl", ttl, |scene, side| {
        let mut figures = Figures::default();
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        scene.server.stop();
        figures.faults += 1;
        thread::sleep(ttl / 2);
        scene.server.go_on();
        assert_eq!(lost_within(&guard, ttl), None, "lost though the server was back in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}

pub(super) fn a_server_that_stands_still_for_longer_than_the_ttl_is_a_loss<S: Stage>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("servers stopped for longer than the ttl", limits.ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        for _ in 0..3 {
            let guard = acquire(&locker.lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.stop();
            figures.faults += 1;
            let late = told_of_loss(&guard, limits.ttl);
            scene.journal.releasing(&guard);
            assert!(late <= limits.telling, "told {late:?} after the deadline");
            figures.told(late);
            let begin = Instant::now();
            assert_is_about_the_store(&acquire(&locker.lock("other").wait(ms(100)), side).unwrap_err());
            assert!(running_since(begin) <= ms(1400), "told after {:?}", begin.elapsed());
            scene.server.go_on();
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
        }
        figures
    });
}

pub(super) fn a_guard_whose_server_is_away_for_longer_than_its_ttl_is_told_by_its_deadline<S: Stage>() {
    let limits = S::LIMITS;
    on_servers("servers killed and away for long", limits.ttl, S::lasting, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.kill9();
            figures.faults += 1;
            let late = told_of_loss(&guard, limits.ttl);
            scene.journal.releasing(&guard);
            assert!(late <= limits.telling, "told {late:?} after the deadline");
            figures.told(late);
            scene.server.restart();
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
        }
        figures
    });
}
