//! Sessions that are ended, servers that only read, and transactions of others on the rows of locks.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Error;
use lock_core::conformance::Side;
use tests::{
    figures::Figures,
    servers::{MariaDbServer, MySqlSession},
};

use super::{again, assert_is_about_the_store, for_both_sides, free_again, on_scenes};
use crate::scene::{
    FREED, LONG, LOOK, SIDES, Scene, TELLING, acquire, client, lost_within, ms, release, running_since,
    told_of_loss,
};

/// All connections of the library are ended by the server.
pub(super) const END_ALL: &str = "KILL CONNECTION USER app@127.0.0.1";
/// Takes the row of a key, and of no other, into a transaction.
const WANT: &str = "SELECT 1 FROM lock_leases WHERE id = SHA2('lock:k', 256) FOR UPDATE";

/// Somebody's transaction keeps the row of a key.
fn keep(session: &mut MySqlSession) {
    session.ask("BEGIN").unwrap();
    assert_eq!(session.ask(WANT).unwrap(), ["1"]);
}

/// Releases, however often the connection is found dead.
fn release_at_last(guard: &lock::Guard, side: Side) {
    let begin = Instant::now();
    while let Err(error) = release(guard, side) {
        assert_is_about_the_store(&error);
        assert!(begin.elapsed() < LONG);
    }
}

#[test]
fn sessions_that_are_killed_while_it_is_held_take_nothing_away() {
    let ttl = Duration::from_secs(3);
    for_both_sides("sessions killed while held", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        for round in 0..10 {
            let guard = acquire(&locker.lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            scene.ask(END_ALL);
            figures.faults += 1;
            if round == 0 {
                // A renewal meets its dead connection.
                assert_eq!(lost_within(&guard, ttl * 3 / 2), None, "lost with a session");
            }
            scene.journal.releasing(&guard);
            release_at_last(&guard, side);
            figures.reacquired(free_again(scene, "k", FREED));
        }
        figures
    });
}

#[test]
fn sessions_that_are_killed_all_the_time_while_it_is_waited_for_stall_nobody() {
    for_both_sides("sessions killed while waited for", LONG, |scene, side| {
        let (locker, waiting, mut figures) = (scene.far(), scene.far(), Figures::default());
        for _ in 0..10 {
            let guard = acquire(&locker.lock("k"), side).unwrap();
            scene.journal.acquired(&guard);
            let lock = waiting.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side).unwrap();
                    scene.journal.acquired(&guard);
                    (Instant::now(), guard)
                });
                scene.wait_in_line("k", 1);
                for _ in 0..5 {
                    scene.ask(END_ALL);
                    figures.faults += 1;
                    thread::sleep(ms(20));
                }
                scene.journal.releasing(&guard);
                release_at_last(&guard, side);
                let begin = Instant::now();
                let (had, successor) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= FREED, "{took:?}");
                figures.reacquired(took);
                scene.journal.releasing(&successor);
                release_at_last(&successor, side);
            });
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_server_that_only_reads_for_a_while_takes_nothing_away() {
    let ttl = Duration::from_secs(4);
    for_both_sides("servers read-only for less than the ttl", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        scene.ask("SET GLOBAL read_only = 1");
        figures.faults += 1;
        for locker in [&locker, &scene.far()] {
            let error = acquire(&locker.lock("other").wait(ms(100)), side).unwrap_err();
            assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error:?}");
            assert!(error.to_string().contains("locks are kept on a primary"), "{error}");
        }
        thread::sleep(ttl / 2);
        scene.ask("SET GLOBAL read_only = 0");
        assert_eq!(lost_within(&guard, ttl), None, "lost though the server was back in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_server_that_only_reads_for_longer_than_the_ttl_is_a_loss() {
    let ttl = ms(600);
    for_both_sides("servers read-only for longer than the ttl", ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.ask("SET GLOBAL read_only = 1");
            figures.faults += 1;
            let late = told_of_loss(&guard, ttl);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            scene.ask("SET GLOBAL read_only = 0");
            figures.reacquired(free_again(scene, "k", ttl + FREED));
        }
        figures
    });
}

/// A holder that has its connections goes on; who has none is told why, and goes on when there is room.
#[test]
fn a_server_without_room_for_connections_is_an_error_that_says_so_and_no_loss() {
    let ttl = ms(900);
    let full = || MariaDbServer::with(&["--max-connections=10"]);
    let scenes = SIDES.map(|side| (side, Scene::on(full(), ttl)));
    on_scenes("servers without room", scenes, |scene, side| {
        let mut figures = Figures::default();
        let lock = scene.far().lock("k");
        let guard = acquire(&lock, side).unwrap();
        scene.journal.acquired(&guard);
        let others: Vec<MySqlSession> =
            std::iter::from_fn(|| MySqlSession::open(&scene.server.url()).ok()).collect();
        assert!(!others.is_empty());
        figures.faults += 1;
        let late = client(&scene.server.url(), &scene.settings).lock("other");
        let error = acquire(&late, side).unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("Too many connections"), "{error:?}");
        assert_eq!(lost_within(&guard, ttl * 2), None, "lost, though it had its connection");
        drop(others);
        let (other, took) = again(&late, side);
        figures.reacquired(took);
        release(&other, side).unwrap();
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_row_that_a_transaction_keeps_is_held_and_neither_an_error_nor_a_hang() {
    /// The server waits for it for a second, which is the least there is; the waiter may have just begun to.
    const WAITS: Duration = ms(2000);
    for_both_sides("rows kept by others", LONG, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        release(&acquire(&locker.lock("k"), side).unwrap(), side).unwrap();
        for _ in 0..3 {
            let mut other = scene.server.session();
            keep(&mut other);
            figures.faults += 1;
            for lock in [locker.lock("k").blocking(false), locker.lock("k").wait(ms(500))] {
                let begin = Instant::now();
                let error = acquire(&lock, side).unwrap_err();
                assert!(error.is_locked(), "{error:?}");
                let took = running_since(begin);
                assert!(took <= WAITS + LOOK, "refused after {took:?}");
            }
            // Others are not kept waiting.
            let begin = Instant::now();
            release(&acquire(&locker.lock("other"), side).unwrap(), side).unwrap();
            assert!(running_since(begin) <= LOOK, "{:?}", begin.elapsed());
            let lock = locker.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side).unwrap();
                    scene.journal.acquired(&guard);
                    (Instant::now(), guard)
                });
                thread::sleep(ms(2500));
                assert!(!waiter.is_finished());
                other.ask("COMMIT").unwrap();
                let begin = Instant::now();
                let (had, guard) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= LOOK, "had {took:?} after the commit");
                figures.reacquired(took);
                scene.journal.releasing(&guard);
                release(&guard, side).unwrap();
            });
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_transaction_that_keeps_the_row_of_a_holder_is_no_loss_if_it_ends_in_time() {
    let ttl = Duration::from_secs(4);
    for_both_sides("rows of holders kept by others", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        let mut other = scene.server.session();
        keep(&mut other);
        figures.faults += 1;
        thread::sleep(ttl / 2);
        other.ask("COMMIT").unwrap();
        assert_eq!(lost_within(&guard, ttl), None, "lost though the transaction ended in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

/// Its victim has done nothing, and asks again; nothing is told to the caller.
#[test]
fn a_deadlock_with_a_transaction_of_others_is_nobodys_error() {
    for_both_sides("deadlocks provoked", LONG, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let lock = locker.lock("k").wait(LONG);
        for _ in 0..20 {
            release(&acquire(&lock, side).unwrap(), side).unwrap();
            let mut others = [scene.server.session(), scene.server.session()];
            for (other, key) in others.iter_mut().zip(["k", "l"]) {
                release(&acquire(&locker.lock(key), side).unwrap(), side).unwrap();
                other.ask("BEGIN").unwrap();
                other.ask(&WANT.replace("lock:k", &format!("lock:{key}"))).unwrap();
            }
            figures.faults += 1;
            let [mut first, mut second] = others;
            let lock = lock.clone();
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side).unwrap();
                    scene.journal.acquired(&guard);
                    scene.journal.releasing(&guard);
                    release(&guard, side).unwrap();
                });
                // Each of the two wants what the other has, and the waiter what the first has.
                let blocked = scope.spawn(move || {
                    let done = first.ask(&WANT.replace("lock:k", "lock:l"));
                    (done.is_ok(), first)
                });
                let went_through = second.ask(WANT).is_ok();
                assert!(second.ask("COMMIT").is_ok());
                let (first_did, mut first) = blocked.join().unwrap();
                assert!(!(first_did && went_through), "no deadlock");
                first.ask("COMMIT").unwrap();
                waiter.join().unwrap();
            });
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}
