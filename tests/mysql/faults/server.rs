//! Servers that stand still, and servers that are killed and come back.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::{Side, pulse};
use tests::figures::Figures;

use super::{assert_is_about_the_store, for_both_sides, free_again};
use crate::scene::{
    FREED, LONG, LOOK, Scene, TELLING, WINDOW, acquire, lost_within, ms, release, running_since, told_of_loss,
};

#[test]
fn a_server_that_stands_still_for_less_than_the_ttl_takes_nothing_away() {
    let ttl = Duration::from_secs(3);
    for_both_sides("servers stopped for less than the ttl", ttl, |scene, side| {
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
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_server_that_stands_still_for_longer_than_the_ttl_is_a_loss() {
    let ttl = ms(600);
    for_both_sides("servers stopped for longer than the ttl", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        for _ in 0..3 {
            let guard = acquire(&locker.lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.stop();
            figures.faults += 1;
            let late = told_of_loss(&guard, ttl);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            let begin = Instant::now();
            assert_is_about_the_store(&acquire(&locker.lock("other").wait(ms(100)), side).unwrap_err());
            assert!(running_since(begin) <= ms(1400), "told after {:?}", begin.elapsed());
            scene.server.go_on();
            figures.reacquired(free_again(scene, "k", ttl + FREED));
        }
        figures
    });
}

/// One who holds, one who waits, and a server that is killed and started again after some time. Returns how long after
/// its return the waiter had the lock, where the holder had lost it; the guard, where not.
fn restarted(scene: &Scene, side: Side, gone: Duration) -> Figures {
    let mut figures = Figures { faults: 1, ..Figures::default() };
    let ttl = scene.settings.ttl.unwrap();
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
        let begin = Instant::now();
        let (had, successor) = if lost_within(&guard, ttl * 3 / 2).is_some() {
            let told = running_since(begin);
            figures.told(told.saturating_sub(ttl));
            scene.journal.releasing(&guard);
            assert!(told <= ttl + TELLING, "told {told:?} after the restart");
            waiter.join().unwrap()
        } else {
            scene.journal.releasing(&guard);
            let released = Instant::now();
            release(&guard, side).unwrap();
            let (had, successor) = waiter.join().unwrap();
            let took = had.saturating_duration_since(released);
            let took = took.saturating_sub(pulse::stalled_since(released));
            // An earlier call of the waiter, which failed with its server, may stand in line before it.
            assert!(took <= WINDOW + LOOK, "{took:?} after the release");
            (begin + took, successor)
        };
        figures.reacquired(had.saturating_duration_since(begin));
        assert!(successor.fencing_token() > guard.fencing_token());
        scene.journal.releasing(&successor);
        release(&successor, side).unwrap();
    });
    figures
}

#[test]
fn a_guard_goes_on_through_a_restart_that_is_shorter_than_its_ttl() {
    let ttl = Duration::from_secs(4);
    for_both_sides("servers killed and back in time", ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            figures = figures.with(&restarted(scene, side, ms(300)));
        }
        assert_eq!(figures.told, None, "lost by a short restart");
        figures
    });
}

#[test]
fn what_was_granted_just_before_a_crash_is_still_held_after_it() {
    for_both_sides("servers killed just after a grant", LONG, |scene, side| {
        let mut figures = Figures::default();
        let lock = scene.far().lock("k");
        super::warm_up(&lock, side);
        for _ in 0..3 {
            let guard = acquire(&lock, side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.kill9();
            scene.server.restart();
            figures.faults += 1;
            assert_eq!(scene.owner("k"), Some(guard.owner().to_string()), "forgotten");
            scene.journal.releasing(&guard);
            let begin = Instant::now();
            while let Err(error) = release(&guard, side) {
                assert_is_about_the_store(&error);
                assert!(begin.elapsed() < LONG);
            }
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

#[test]
fn a_guard_whose_server_is_away_for_longer_than_its_ttl_is_told_by_its_deadline() {
    let ttl = ms(600);
    for_both_sides("servers killed and away for long", ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.kill9();
            figures.faults += 1;
            let late = told_of_loss(&guard, ttl);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            scene.server.restart();
            figures.reacquired(free_again(scene, "k", ttl + FREED));
        }
        figures
    });
}
