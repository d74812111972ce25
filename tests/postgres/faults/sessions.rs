//! What others do to our sessions and rows: sessions are ended, the server is read-only for a while or has no room, and
//! transactions keep a row.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Error;
use lock_core::conformance::Side;
use tests::{
    figures::Figures,
    report,
    servers::{PostgresServer, Session},
};

use super::{again, assert_is_about_the_store, for_both_sides, free_again, on_scenes};
use crate::scene::{
    FREED, LONG, LOOK, SIDES, Scene, TELLING, acquire, client, eventually, lost_within, ms, release,
    running_since, told_of_loss,
};

/// All connections of the library are ended by the server.
pub(crate) const END_ALL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lock'";

#[test]
fn sessions_that_are_ended_while_it_is_held_take_nothing_away() {
    let ttl = Duration::from_secs(3);
    for_both_sides("sessions ended while held", ttl, |scene, side| {
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
fn sessions_that_are_ended_all_the_time_while_it_is_waited_for_stall_nobody() {
    for_both_sides("sessions ended while waited for", LONG, |scene, side| {
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
                let begin = Instant::now();
                while let Err(error) = release(&guard, side) {
                    assert_is_about_the_store(&error);
                    assert!(begin.elapsed() < LONG);
                }
                let begin = Instant::now();
                let (had, successor) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= FREED, "{took:?}");
                figures.reacquired(took);
                scene.journal.releasing(&successor);
                release(&successor, side).unwrap();
            });
        }
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

/// As after a fail-over, before the standby is promoted.
fn read_only(scene: &Scene, yes: bool) {
    let mut session = scene.server.session();
    // A transaction that may not write may not do this either.
    session.ask("SET default_transaction_read_only = off").unwrap();
    session.ask(&format!("ALTER SYSTEM SET default_transaction_read_only = {yes}")).unwrap();
    session.ask("SELECT pg_reload_conf()").unwrap();
    let shown = || scene.server.session().ask("SHOW default_transaction_read_only").unwrap();
    assert!(eventually(LONG, || shown() == [if yes { "on" } else { "off" }]));
    // Every session has heard of it when it has been asked something; ours are asked next.
}

#[test]
fn a_server_that_is_read_only_for_a_while_takes_nothing_away() {
    let ttl = Duration::from_secs(4);
    for_both_sides("servers read-only for less than the ttl", ttl, |scene, side| {
        let mut figures = Figures::default();
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        read_only(scene, true);
        figures.faults += 1;
        let error = acquire(&scene.far().lock("other").wait(ms(100)), side).unwrap_err();
        assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error:?}");
        assert!(format!("{error:?}").contains("primary"), "{error:?}");
        thread::sleep(ttl / 2);
        read_only(scene, false);
        assert_eq!(lost_within(&guard, ttl), None, "lost though the server was back in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", FREED));
        figures
    });
}

#[test]
fn a_server_that_is_read_only_for_longer_than_the_ttl_is_a_loss() {
    let ttl = ms(600);
    for_both_sides("servers read-only for longer than the ttl", ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            read_only(scene, true);
            figures.faults += 1;
            let late = told_of_loss(&guard, ttl);
            scene.journal.releasing(&guard);
            assert!(late <= TELLING, "told {late:?} after the deadline");
            figures.told(late);
            read_only(scene, false);
            figures.reacquired(free_again(scene, "k", ttl + FREED));
        }
        figures
    });
}

/// A holder that has its connections goes on; who has none is told why, and goes on when there is room.
#[test]
fn a_server_without_room_for_connections_is_an_error_that_says_so_and_no_loss() {
    let ttl = ms(900);
    let full = || PostgresServer::with(&["max_connections=12", "superuser_reserved_connections=1"]);
    let scenes = SIDES.map(|side| (side, Scene::on(full(), ttl)));
    on_scenes("servers without room", scenes, |scene, side| {
        let mut figures = Figures::default();
        scene.ask("CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app");
        let url = scene.server.url().replace("postgres@", "app@");
        let lock = client(&url, &scene.settings).lock("k");
        let guard = acquire(&lock, side).unwrap();
        scene.journal.acquired(&guard);
        let others: Vec<Session> = std::iter::from_fn(|| Session::open(&url).ok()).collect();
        assert!(!others.is_empty());
        figures.faults += 1;
        let late = client(&url, &scene.settings).lock("other");
        let error = acquire(&late, side).unwrap_err();
        assert!(error.is_retryable() && format!("{error:?}").contains("connection"), "{error:?}");
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
    for_both_sides("rows kept by others", LONG, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        release(&acquire(&locker.lock("k"), side).unwrap(), side).unwrap();
        for _ in 0..3 {
            let mut other = scene.server.session();
            other.ask("BEGIN; SELECT 1 FROM lock_leases WHERE key = 'lock:k' FOR UPDATE").unwrap();
            figures.faults += 1;
            let begin = Instant::now();
            let error = acquire(&locker.lock("k").blocking(false), side).unwrap_err();
            assert!(error.is_locked(), "{error:?}");
            let took = running_since(begin);
            assert!(took <= ms(500), "refused after {took:?}");
            let begin = Instant::now();
            let error = acquire(&locker.lock("k").wait(ms(500)), side).unwrap_err();
            assert!(error.is_locked(), "{error:?}");
            let took = running_since(begin);
            assert!(took <= ms(1200), "given up after {took:?}");
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
                thread::sleep(ms(250));
                assert!(!waiter.is_finished());
                other.ask("COMMIT").unwrap();
                let begin = Instant::now();
                let (had, guard) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= ms(500), "had {took:?} after the commit");
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
    let ttl = Duration::from_secs(2);
    for_both_sides("rows of holders kept by others", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        let mut other = scene.server.session();
        other.ask("BEGIN; SELECT 1 FROM lock_leases WHERE key = 'lock:k' FOR UPDATE").unwrap();
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

/// Whatever an administrator has set for the role, and for the database: each is wrong for a lock.
#[test]
fn settings_of_the_role_change_nothing() {
    for setting in [
        "lock_timeout = '1ms'",
        "lock_timeout = '1h'",
        "statement_timeout = '20ms'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_deferrable = on",
        "standard_conforming_strings = off",
        "search_path = nowhere, public",
        "timezone = 'Pacific/Kiritimati'",
        "datestyle = 'German'",
        "synchronous_commit = off",
        "row_security = off",
        "jit = on",
    ] {
        let scene = Scene::new(LONG);
        scene.ask(&format!(
            "CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app; ALTER ROLE app SET {setting}"
        ));
        let url = scene.server.url().replace("postgres@", "app@");
        let begin = Instant::now();
        thread::scope(|scope| {
            for number in 0..4 {
                let (scene, url) = (&scene, &url);
                scope.spawn(move || {
                    let lock = client(url, &scene.settings).lock("k");
                    for _ in 0..25 {
                        let side = SIDES[number % 2];
                        let guard =
                            acquire(&lock, side).unwrap_or_else(|error| panic!("{setting}: {error:?}"));
                        scene.journal.acquired(&guard);
                        scene.journal.releasing(&guard);
                        release(&guard, side).unwrap();
                    }
                });
            }
        });
        report(&format!("postgres: 100 holds of 4 clients with {setting} in {:?}", begin.elapsed()));
        scene.journal.history().assert_right();
        let lock = client(&url, &scene.settings).lock("k");
        release(&acquire(&lock, Side::Blocking).unwrap(), Side::Blocking).unwrap();
        // A transaction of somebody else is waited for as long as we say.
        let mut other = scene.server.session();
        other.ask("BEGIN; SELECT 1 FROM lock_leases FOR UPDATE").unwrap();
        let begin = Instant::now();
        assert!(acquire(&lock.clone().blocking(false), Side::Blocking).unwrap_err().is_locked(), "{setting}");
        assert!(running_since(begin) <= ms(500), "{setting}: {:?}", begin.elapsed());
    }
}
