//! Servers that stand still, and servers that are killed and come back with nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::Side;
use tests::figures::Figures;

use super::{assert_is_about_the_store, for_both_sides, free_again};
use crate::scene::{
    FREED, LONG, SIDES, Scene, TELLING, TTL, acquire, lost_within, ms, release, running_since, told_of_loss,
};

#[test]
fn a_server_that_stands_still_for_less_than_the_ttl_takes_nothing_away() {
    let ttl = Duration::from_secs(6);
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
    for_both_sides("servers stopped for longer than the ttl", TTL, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        for _ in 0..3 {
            let guard = acquire(&locker.lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.stop();
            figures.faults += 1;
            let late = told_of_loss(&guard, TTL);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            let begin = Instant::now();
            assert_is_about_the_store(&acquire(&locker.lock("other").wait(ms(100)), side).unwrap_err());
            assert!(running_since(begin) <= ms(1400), "told after {:?}", begin.elapsed());
            scene.server.go_on();
            figures.reacquired(free_again(scene, "k", TTL + FREED));
        }
        figures
    });
}

/// One who holds, one who waits, and a server that is killed and started again. Returns how long after its return the
/// waiter had the lock.
fn restarted(scene: &Scene, side: Side) -> Figures {
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
        thread::sleep(ms(100));
        scene.server.kill9();
        thread::sleep(ms(50));
        scene.server.restart();
        let begin = Instant::now();
        let told = lost_within(&guard, ttl).expect("kept though the server forgot it");
        figures.told(Duration::ZERO);
        scene.journal.releasing(&guard);
        // Once it is back, and not when a renewal is due.
        assert!(told <= ms(400), "told {told:?} after the restart");
        let (had, successor) = waiter.join().unwrap();
        figures.reacquired(had.saturating_duration_since(begin));
        assert!(successor.fencing_token() > guard.fencing_token());
        assert!(release(&guard, side).unwrap_err().is_lost());
        thread::sleep(ms(100));
        assert!(scene.is_held("k") && successor.is_held(), "a stale release freed its successor");
        scene.journal.releasing(&successor);
        release(&successor, side).unwrap();
    });
    figures
}

/// Nothing can keep a lock that its server forgot; who holds it is told when it is back, and who waits goes on.
#[test]
fn a_server_that_forgot_everything_is_a_loss_told_at_once_and_tokens_grow() {
    let ttl = Duration::from_secs(9);
    let parts: Vec<_> = thread::scope(|scope| {
        let rounds: Vec<_> = (0..10)
            .map(|round| {
                scope.spawn(move || {
                    let scene = Scene::new(ttl);
                    let figures = restarted(&scene, SIDES[round % 2]);
                    (figures, scene.journal.history().double_holds())
                })
            })
            .collect();
        rounds.into_iter().map(|round| round.join().unwrap()).collect()
    });
    let double = parts.iter().map(|(_, double)| double).sum();
    parts.iter().fold(Figures::default(), |all, (part, _)| all.with(part)).report(
        "memcached",
        "servers killed and back without their data (the holds until they are told are not promised)",
        double,
    );
}
