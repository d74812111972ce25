//! What others do to a database: it is read-only for a while or has no room, and transactions keep a row.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Error;

use super::{again, for_both_sides, free_again, has, on_servers};
use crate::{
    callers::{LONG, acquire, lost_within, ms, release, running_since, told_of_loss},
    figures::Figures,
    scene::{Database, Scene},
};

/// As after a fail-over, before the standby is promoted.
pub(super) fn a_server_that_is_read_only_for_a_while_takes_nothing_away<S: Database>() {
    let ttl = Duration::from_secs(4);
    for_both_sides::<S>("servers read-only for less than the ttl", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        scene.server.set_read_only(true);
        figures.faults += 1;
        for locker in [&locker, &scene.far()] {
            let error = acquire(&locker.lock("other").wait(ms(100)), side).unwrap_err();
            assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error:?}");
            assert!(error.to_string().contains("locks are kept on a primary"), "{error}");
        }
        thread::sleep(ttl / 2);
        scene.server.set_read_only(false);
        assert_eq!(lost_within(&guard, ttl), None, "lost though the server was back in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}

pub(super) fn a_server_that_is_read_only_for_longer_than_the_ttl_is_a_loss<S: Database>() {
    let limits = S::LIMITS;
    for_both_sides::<S>("servers read-only for longer than the ttl", limits.ttl, |scene, side| {
        let mut figures = Figures::default();
        for _ in 0..3 {
            let guard = acquire(&scene.far().lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            scene.server.set_read_only(true);
            figures.faults += 1;
            let late = told_of_loss(&guard, limits.ttl);
            scene.journal.releasing(&guard);
            assert!(late <= limits.telling, "told {late:?} after the deadline");
            figures.told(late);
            scene.server.set_read_only(false);
            figures.reacquired(free_again(scene, "k", limits.ttl + limits.freed));
        }
        figures
    });
}

/// A holder that has its connections goes on; who has none is told why, and goes on when there is room.
pub(super) fn a_server_without_room_for_connections_is_an_error_that_says_so_and_no_loss<S: Database>() {
    let ttl = ms(900);
    on_servers("servers without room", ttl, S::small, |scene, side| {
        let mut figures = Figures::default();
        let url = scene.server.ordinary_url();
        let lock = S::client_of_scene(&url, &scene.settings).lock("k");
        let guard = acquire(&lock, side).unwrap();
        scene.journal.acquired(&guard);
        let others: Vec<S::Session> = std::iter::from_fn(|| S::open(&url)).collect();
        assert!(!others.is_empty());
        figures.faults += 1;
        let late = S::client(&url, &scene.settings).lock("other");
        let error = acquire(&late, side).unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains(S::FULL), "{error:?}");
        assert_eq!(lost_within(&guard, ttl * 2), None, "lost, though it had its connection");
        drop(others);
        let (other, took) = again(&late, side);
        figures.reacquired(took);
        release(&other, side).unwrap();
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}

pub(super) fn a_row_that_a_transaction_keeps_is_held_and_neither_an_error_nor_a_hang<S: Database>() {
    for_both_sides::<S>("rows kept by others", LONG, |scene, side| {
        let rows = S::ROWS;
        let (locker, mut figures) = (scene.far(), Figures::default());
        release(&acquire(&locker.lock("k"), side).unwrap(), side).unwrap();
        for _ in 0..3 {
            let commit = scene.server.keep_row("k");
            figures.faults += 1;
            let begin = Instant::now();
            let error = acquire(&locker.lock("k").blocking(false), side).unwrap_err();
            assert!(error.is_locked(), "{error:?}");
            let took = running_since(begin);
            assert!(took <= rows.refused, "refused after {took:?}");
            let begin = Instant::now();
            let error = acquire(&locker.lock("k").wait(ms(500)), side).unwrap_err();
            assert!(error.is_locked(), "{error:?}");
            let took = running_since(begin);
            assert!(took <= rows.given_up, "given up after {took:?}");
            // Others are not kept waiting.
            let begin = Instant::now();
            release(&acquire(&locker.lock("other"), side).unwrap(), side).unwrap();
            assert!(running_since(begin) <= S::LIMITS.look, "{:?}", begin.elapsed());
            let lock = locker.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || has(scene, &lock, side));
                thread::sleep(rows.kept);
                assert!(!waiter.is_finished());
                commit();
                let begin = Instant::now();
                let (had, guard) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= rows.had, "had {took:?} after the commit");
                figures.reacquired(took);
                scene.journal.releasing(&guard);
                release(&guard, side).unwrap();
            });
        }
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}

pub(super) fn a_transaction_that_keeps_the_row_of_a_holder_is_no_loss_if_it_ends_in_time<S: Database>() {
    let ttl = S::ROWS.ttl;
    for_both_sides::<S>("rows of holders kept by others", ttl, |scene, side| {
        let (locker, mut figures) = (scene.far(), Figures::default());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.journal.acquired(&guard);
        let commit = scene.server.keep_row("k");
        figures.faults += 1;
        thread::sleep(ttl / 2);
        commit();
        assert_eq!(lost_within(&guard, ttl), None, "lost though the transaction ended in time");
        scene.journal.releasing(&guard);
        release(&guard, side).unwrap();
        figures.reacquired(free_again(scene, "k", S::LIMITS.given_back));
        figures
    });
}

/// As one whose first answer was lost: nobody after him waits for one who is not there.
pub(super) fn who_asks_twice_has_it_and_does_not_wait_for_himself<S: Database>() {
    let scene = Scene::<S>::new(LONG);
    let ask = || scene.far().lock("k").owner("mine".parse().unwrap()).acquire().unwrap();
    let (guard, again) = (ask(), ask());
    assert_eq!(guard.fencing_token(), again.fencing_token());
    assert_eq!(scene.in_line("k"), 0);
}
