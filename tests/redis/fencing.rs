//! Fencing tokens grow, whatever happens to the server.

use std::{fs, time::Instant};

use lock_core::conformance::Side;
use tests::servers::RedisServer;

use crate::scene::{LONG, Scene, acquire, eventually, ms};

const PERSISTENT: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Acquires by a new client, and returns the token of what it released.
fn take(scene: &Scene) -> u64 {
    let lock = scene.far().lock("k").wait(LONG);
    let mut token = None;
    // A server that was just started may have been found closed a moment ago.
    assert!(eventually(LONG, || match lock.acquire() {
        Ok(guard) => {
            token = Some(guard.fencing_token());
            guard.release().unwrap();
            true
        }
        Err(error) => {
            assert!(error.is_retryable(), "{error}");
            false
        }
    }));
    token.unwrap()
}

/// A server, and what is done to it between two holds.
fn grows_over(server: RedisServer, ttl: std::time::Duration, mut event: impl FnMut(&Scene)) {
    let scene = Scene::on(server, ttl);
    let mut last = take(&scene);
    for round in 0..5 {
        event(&scene);
        let token = take(&scene);
        assert!(token > last, "round {round}: {token} after {last}");
        last = token;
    }
}

#[test]
fn tokens_grow_over_releases_by_clients_in_turn() {
    grows_over(RedisServer::start(), LONG, |_| {});
}

#[test]
fn tokens_grow_over_expiry() {
    grows_over(RedisServer::start(), ms(150), |scene| {
        let guard = scene.far().lock("k").renew(false).acquire().unwrap();
        std::mem::forget(guard);
    });
}

#[test]
fn tokens_grow_over_force() {
    grows_over(RedisServer::start(), LONG, |scene| {
        let _held = scene.far().lock("k").acquire().unwrap();
        assert!(scene.far().lock("k").force_release().unwrap());
    });
}

#[test]
fn tokens_grow_over_a_flush() {
    grows_over(RedisServer::start(), LONG, |scene| drop(scene.server.ask(&["FLUSHALL"])));
}

#[test]
fn tokens_grow_over_holds_of_foreign_clients() {
    grows_over(RedisServer::start(), LONG, |scene| {
        scene.server.ask(&["SET", "lock:k", "theirs", "NX", "PX", "50"]);
    });
}

#[test]
fn tokens_grow_over_a_restart_that_kept_nothing() {
    grows_over(RedisServer::start(), LONG, |scene| {
        scene.server.kill9();
        scene.server.restart();
    });
}

#[test]
fn tokens_grow_over_a_restart_that_kept_everything() {
    grows_over(RedisServer::with(&PERSISTENT), LONG, |scene| {
        scene.server.kill9();
        scene.server.restart();
    });
}

#[test]
fn tokens_grow_over_the_return_of_an_old_snapshot() {
    let scene = Scene::new(LONG);
    let first = take(&scene);
    scene.server.ask(&["SAVE"]);
    let mut last = (0..20).map(|_| take(&scene)).last().unwrap();
    assert!(last > first);
    // The snapshot is the one before all that.
    for _ in 0..3 {
        scene.server.kill9();
        scene.server.restart();
        let token = take(&scene);
        assert!(token > last, "{token} after {last}");
        last = token;
    }
    assert!(fs::metadata(scene.server.directory().join("dump.rdb")).is_ok());
}

#[test]
fn tokens_grow_over_a_lock_that_was_held_in_an_old_snapshot() {
    let scene = Scene::new(ms(1500));
    let held = scene.far().lock("k").acquire().unwrap();
    let old = held.fencing_token();
    scene.server.ask(&["SAVE"]);
    held.release().unwrap();
    let last = take(&scene);
    scene.server.kill9();
    scene.server.restart();
    let begin = Instant::now();
    let token = take(&scene);
    assert!(token > last && last > old, "{token} after {last} after {old}");
    assert!(begin.elapsed() < ms(1500) + ms(1000), "the old hold never ended");
}

#[test]
fn tokens_grow_over_all_clients_of_a_crowd() {
    let scene = Scene::new(LONG);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (scene, lock) = (&scene, scene.far().lock("k"));
            let side = if number % 2 == 0 { Side::Blocking } else { Side::Async };
            scope.spawn(move || {
                for _ in 0..50 {
                    let guard = acquire(&lock, side).unwrap();
                    scene.journal.acquired(&guard);
                    scene.journal.releasing(&guard);
                }
            });
        }
    });
    assert_eq!(scene.journal.history().holds.len(), 400);
    scene.journal.history().assert_right();
}
