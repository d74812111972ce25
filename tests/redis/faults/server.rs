//! Servers that stand still, and servers that are killed and come back.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::Side;
use tests::servers::RedisServer;

use super::{Figures, assert_is_about_the_store, for_both_sides, free_again, told_of_loss};
use crate::scene::{FREED, LONG, SIDES, Scene, TELLING, acquire, lost_within, ms, release, running_since};

const PERSISTENT: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

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
            assert!(had - released <= FREED, "{:?} after the release", had - released);
            (begin + (had - released), successor)
        };
        figures.reacquired(had.saturating_duration_since(begin));
        assert!(successor.fencing_token() > guard.fencing_token());
        scene.journal.releasing(&successor);
        release(&successor, side).unwrap();
    });
    figures
}

#[test]
fn a_guard_goes_on_through_a_restart_that_keeps_the_data_and_is_shorter_than_its_ttl() {
    let parts = SIDES.map(|side| {
        let scene = Scene::on(RedisServer::with(&PERSISTENT), Duration::from_secs(3));
        let figures = restarted(&scene, side, ms(300));
        assert_eq!(figures.told, None, "lost by a short restart");
        scene.journal.history().assert_right();
        figures
    });
    parts.iter().fold(Figures::default(), Figures::with).report(
        "redis",
        "servers killed and back with their data",
        0,
    );
}

#[test]
fn a_guard_whose_server_is_away_for_longer_than_its_ttl_is_told_by_its_deadline() {
    let ttl = ms(600);
    let parts = SIDES.map(|side| {
        let scene = Scene::on(RedisServer::with(&PERSISTENT), ttl);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        scene.server.kill9();
        let late = told_of_loss(&guard, ttl);
        assert!(late <= TELLING, "told {late:?} after the deadline");
        scene.server.restart();
        let mut figures = Figures { faults: 1, ..Figures::default() };
        figures.told(late);
        figures.reacquired(free_again(&scene, "k", ttl + FREED));
        figures
    });
    parts.iter().fold(Figures::default(), Figures::with).report(
        "redis",
        "servers killed and away for long",
        0,
    );
}

/// Nothing can keep a lock that its server forgot; who holds it is told at the next renewal, and who waits goes on.
#[test]
fn a_server_that_forgot_everything_is_a_loss_told_by_the_next_renewal() {
    let ttl = Duration::from_secs(3);
    let parts = SIDES.map(|side| {
        let scene = Scene::new(ttl);
        let figures = restarted(&scene, side, ms(50));
        assert!(figures.told.is_some(), "kept though the server forgot it");
        (figures, scene.journal.history().double_holds())
    });
    let double = parts.iter().map(|(_, double)| double).sum();
    parts.iter().fold(Figures::default(), |all, (part, _)| all.with(part)).report(
        "redis",
        "servers killed and back without their data (the holds until they are told are not promised)",
        double,
    );
}

#[test]
fn who_waits_goes_on_after_a_restart_that_lost_the_line() {
    for side in SIDES {
        let scene = Scene::on(RedisServer::with(&PERSISTENT), LONG);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        let lock = scene.far().lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&lock, side).unwrap().release());
            scene.wait_in_line("k", 1);
            scene.server.ask(&["DEL", "lock:k\u{1f}waiters"]);
            scene.server.kill9();
            scene.server.restart();
            thread::sleep(ms(200));
            let begin = Instant::now();
            release(&guard, side).unwrap();
            waiter.join().unwrap().unwrap();
            assert!(running_since(begin) <= Duration::from_secs(1), "{:?}", begin.elapsed());
        });
    }
}
