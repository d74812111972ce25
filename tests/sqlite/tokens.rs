//! Fencing tokens grow, whatever becomes of the row, of the file and of the machine.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::scene::{LONG, Scene, eventually, lost_within, ms};

fn take(scene: &Scene) -> u64 {
    let guard = scene.client().lock("k").wait(LONG).acquire().unwrap();
    let token = guard.fencing_token();
    guard.release().unwrap();
    token
}

fn wall() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Five holds, and what is done between each and the next.
fn grows_over(mut event: impl FnMut(&Scene)) {
    let scene = Scene::new(LONG);
    let mut last = take(&scene);
    for round in 0..5 {
        event(&scene);
        let token = take(&scene);
        assert!(token > last, "round {round}: {token} after {last}");
        last = token;
    }
}

#[test]
fn tokens_grow_over_a_row_that_is_removed() {
    grows_over(|scene| {
        scene.ask("DELETE FROM lock_leases");
    });
}

#[test]
fn tokens_grow_over_a_file_that_is_removed() {
    grows_over(|scene| {
        fs::remove_file(scene.path()).unwrap();
        for beside in ["app.db-wal", "app.db-shm"] {
            // They go with the last connection.
            drop(fs::remove_file(scene.scratch.path().join(beside)));
        }
    });
}

#[test]
fn tokens_grow_over_a_clock_that_was_ahead() {
    grows_over(|scene| {
        scene.ask("UPDATE lock_leases SET token = token + 3600000000, last_token = last_token + 3600000000");
    });
}

const DAY: u64 = 24 * 3600 * 1_000_000;

#[test]
fn rows_that_nobody_has_used_for_long_are_removed_and_tokens_grow_over_that() {
    let scene = Scene::new(LONG);
    let last = take(&scene);
    let old = wall() - DAY - 1_000_000;
    // Of long ago: not held, and its tokens below the time of day by more than that may go back.
    scene.ask(&format!(
        "UPDATE lock_leases SET expires_at = 0, boot = 'x', token = {old}, last_token = {old}"
    ));
    // Rows that must stay: used lately, or with tokens ahead of the clock.
    scene.client().lock("new").acquire().unwrap().release().unwrap();
    scene.client().lock("ahead").acquire().unwrap().release().unwrap();
    let ahead = wall() + DAY;
    scene.ask(&format!(
        "UPDATE lock_leases SET expires_at = 0, last_token = {ahead} WHERE key = 'lock:ahead'"
    ));
    scene.client().lock("other").acquire().unwrap().release().unwrap();
    let is_gone = || scene.ask("SELECT count(*) FROM lock_leases WHERE key = 'lock:k'") == "0";
    assert!(eventually(LONG, is_gone), "still there");
    assert_eq!(scene.ask("SELECT count(*) FROM lock_leases WHERE key IN ('lock:new', 'lock:ahead')"), "2");
    assert!(take(&scene) > last);
    assert_eq!(scene.client().lock("ahead").acquire().unwrap().fencing_token(), ahead + 1);
}

#[test]
fn a_restart_of_the_machine_ends_all_leases_and_no_token_goes_back() {
    let scene = Scene::new(ms(900));
    let guard = scene.client().lock("k").acquire().unwrap();
    // What is in the file after a restart: another start of the machine, of which more time had passed.
    scene.ask("UPDATE lock_leases SET boot = 'before', expires_at = 9000000000000000, waiters = char(31) || 'x' || char(31)");
    let locker = scene.client();
    assert_eq!(locker.held().unwrap(), []);
    let next = locker.lock("k").try_acquire().unwrap().expect("nobody of before the restart is there");
    assert!(next.fencing_token() > guard.fencing_token());
    assert_eq!(scene.ask("SELECT waiters FROM lock_leases"), "");
    assert!(lost_within(&guard, ms(900)).is_some(), "it goes on holding what is somebody else's");
    assert!(guard.release().is_err_and(|error| error.is_lost()));
    assert!(next.is_held());
    next.release().unwrap();
}

#[test]
fn a_holder_whose_file_is_removed_or_replaced_is_told() {
    let ttl = Duration::from_secs(1);
    let scene = Scene::new(ttl);
    for replaced in [false, true] {
        let guard = scene.client().lock("k").acquire().unwrap();
        let new = scene.scratch.path().join("new.db");
        if replaced {
            let other = Scene::new(ttl);
            other.client().lock("k").acquire().unwrap().release().unwrap();
            other.ask("PRAGMA wal_checkpoint(TRUNCATE)");
            fs::copy(other.path(), &new).unwrap();
            fs::rename(&new, scene.path()).unwrap();
        } else {
            fs::remove_file(scene.path()).unwrap();
        }
        for beside in ["app.db-wal", "app.db-shm"] {
            drop(fs::remove_file(scene.scratch.path().join(beside)));
        }
        assert!(lost_within(&guard, ttl).is_some(), "not told, replaced: {replaced}");
        assert!(
            scene.client().lock("k").wait(LONG).acquire().unwrap().fencing_token() > guard.fencing_token()
        );
    }
}

/// As one whose first answer was lost: nobody after him waits for one who is not there.
#[test]
fn who_asks_twice_has_it_and_does_not_wait_for_himself() {
    let scene = Scene::new(LONG);
    let ask = || scene.client().lock("k").owner("mine".parse().unwrap()).acquire().unwrap();
    let (guard, again) = (ask(), ask());
    assert_eq!(guard.fencing_token(), again.fencing_token());
    assert_eq!(scene.ask("SELECT waiters FROM lock_leases"), "");
}
