//! A server whose memory is full.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Error;
use tests::{events, servers::RedisServer};

use crate::scene::{FREED, LONG, SIDES, Scene, acquire, lost_within, ms, release, running_since};

#[test]
fn a_policy_that_drops_held_locks_is_warned_of() {
    events::listen();
    for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"] {
        let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", policy]);
        let scene = Scene::on(server, LONG);
        scene.far().lock("k").acquire().unwrap().release().unwrap();
        let port = scene.server.port().to_string();
        let warning = events::warning_within(LONG, &port).unwrap_or_else(|| panic!("no warning of {policy}"));
        assert!(warning.contains(policy) && warning.contains("noeviction"), "{warning}");
    }
}

#[test]
fn a_policy_that_drops_nothing_is_not_warned_of() {
    events::listen();
    for arguments in [&[][..], &["--maxmemory", "100mb"], &["--maxmemory-policy", "allkeys-lru"]] {
        let scene = Scene::on(RedisServer::with(arguments), LONG);
        scene.far().lock("k").acquire().unwrap().release().unwrap();
        let warnings = events::warnings(&scene.server.port().to_string());
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn out_of_memory_nothing_new_is_granted_and_what_is_held_stays_held() {
    for side in SIDES {
        let scene = Scene::new(ms(600));
        let locker = scene.far();
        let guard = acquire(&locker.lock("k"), side).unwrap();
        scene.server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
        let error = acquire(&locker.lock("new"), side).unwrap_err();
        assert!(matches!(error, Error::Backend { .. }), "{error}");
        assert!(error.to_string().contains("memory"), "{error}");
        assert_eq!(lost_within(&guard, ms(600) * 2), None, "lost though it was renewed");
        assert!(guard.is_held());
        release(&guard, side).unwrap();
        assert_eq!(scene.server.ask(&["EXISTS", "lock:k"]).int(), 0);
        scene.server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
        acquire(&locker.lock("new"), side).unwrap().release().unwrap();
    }
}

#[test]
fn out_of_memory_a_release_still_reaches_who_waits() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        let waiting = scene.far().lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&waiting, side));
            scene.wait_in_line("k", 1);
            scene.server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
            release(&guard, side).unwrap();
            thread::sleep(ms(200));
            scene.server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
            let begin = Instant::now();
            // Whether it can be granted without memory is the server's to say; nobody hangs, and nothing stays behind.
            match waiter.join().unwrap() {
                Ok(guard) => assert!(guard.is_held()),
                Err(error) => assert!(error.to_string().contains("memory"), "{error}"),
            }
            assert!(running_since(begin) < Duration::from_secs(1), "{:?}", begin.elapsed());
        });
        let begin = Instant::now();
        scene.far().lock("k").wait(LONG).acquire().unwrap().release().unwrap();
        assert!(running_since(begin) < FREED, "left held for {:?}", begin.elapsed());
    }
}
