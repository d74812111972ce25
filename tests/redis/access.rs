//! Servers that do not let us in, or not do what locks need.

use std::time::Instant;

use lock::{Error, Locker};
use lock_core::conformance::Side;
use tests::{
    events,
    servers::{RedisServer, free_port},
};

use crate::scene::{FREED, LONG, LOOK, Scene, acquire, client, eventually, ms, release, running_since};

/// The permissions that the page of the backend lists, for keys under `lock:`.
pub(crate) fn documented() -> Vec<String> {
    let page = include_str!("../../lock-core/src/backends/redis/mod.rs").replace("\n//!", "");
    let list = page.split_once("`ACL SETUSER app on >… ").expect("the list of permissions").1;
    list.split_once('`').unwrap().0.split_whitespace().map(ToOwned::to_owned).collect()
}

pub(crate) fn let_in(server: &RedisServer, user: &str, permissions: &[String]) -> String {
    let mut command = vec!["ACL", "SETUSER", user, "reset", "on", ">secret-word"];
    command.extend(permissions.iter().map(String::as_str));
    server.ask(&command);
    format!("redis://{user}:secret-word@127.0.0.1:{}/0", server.port())
}

#[test]
fn the_documented_permissions_are_enough() {
    let scene = Scene::new(LONG);
    let url = let_in(&scene.server, "app", &documented());
    let (locker, other) = (client(&url, &scene.settings), client(&url, &scene.settings));
    for side in [Side::Blocking, Side::Async] {
        let guard = acquire(&locker.lock("k"), side).unwrap();
        guard.extend(LONG).unwrap();
        assert_eq!(locker.held().unwrap().len(), 1);
        assert!(other.lock("k").is_locked().unwrap());
        let waiting = other.lock("k").wait(LONG).retry(LONG);
        let begin = std::thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&waiting, side).unwrap().release().unwrap());
            scene.wait_in_line("k", 1);
            let begin = Instant::now();
            release(&guard, side).unwrap();
            waiter.join().unwrap();
            begin
        });
        assert!(running_since(begin) < LOOK, "the waiter was not told");
        let owner = acquire(&locker.lock("k"), side).unwrap().into_owner();
        other.lock("k").adopt(owner).unwrap().release().unwrap();
        drop(acquire(&locker.lock("k"), side).unwrap());
        let _held = acquire(&locker.lock("forced"), side).unwrap();
        assert!(other.lock("forced").force_release().unwrap());
        locker.ping().unwrap();
    }
    let warnings = events::warnings("app");
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_missing_permission_is_named() {
    let server = RedisServer::start();
    let documented = documented();
    for command in ["evalsha", "set", "time", "get", "ping", "scan"] {
        let mut permissions = documented.clone();
        permissions.push(format!("-{command}"));
        let user = format!("no-{command}");
        let locker = Locker::open(&let_in(&server, &user, &permissions)).unwrap();
        let error = match command {
            "ping" => locker.ping().unwrap_err(),
            "scan" => locker.held().unwrap_err(),
            "get" => locker.lock("k").is_locked().unwrap_err(),
            _ => locker.lock("k").acquire().unwrap_err(),
        };
        let text = error.to_string();
        assert!(matches!(error, Error::Backend { .. }) && !error.is_retryable(), "{text}");
        assert!(text.contains(command) && text.to_lowercase().contains("permission"), "{command}: {text}");
        assert!(!format!("{error:?}").contains("secret-word"), "{error:?}");
    }
    let mut elsewhere = documented;
    elsewhere.retain(|rule| !rule.starts_with('~'));
    elsewhere.push("~elsewhere:*".into());
    let error =
        Locker::open(&let_in(&server, "elsewhere", &elsewhere)).unwrap().lock("k").acquire().unwrap_err();
    let text = error.to_string().to_lowercase();
    assert!(text.contains("permission") && text.contains("key") && !error.is_retryable(), "{error}");
}

#[test]
fn who_may_not_subscribe_is_warned_and_looks_every_retry() {
    events::listen();
    let scene = Scene::new(LONG);
    let mut permissions = documented();
    permissions.push("-subscribe".into());
    let locker = client(&let_in(&scene.server, "deaf", &permissions), &scene.settings);
    let held = scene.far().lock("k").acquire().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| locker.lock("k").wait(LONG).acquire().unwrap());
        let port = scene.server.port().to_string();
        let warning = events::warning_within(LONG, &port).expect("a warning");
        assert!(warning.contains("subscribe") && !warning.contains("secret-word"), "{warning}");
        let begin = Instant::now();
        held.release().unwrap();
        drop(waiter.join().unwrap());
        assert!(running_since(begin) < LOOK, "{:?}", begin.elapsed());
    });
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    for (secret, said) in [(":hunter2@", "WRONGPASS"), ("nobody:hunter2@", "WRONGPASS"), ("", "NOAUTH")] {
        let url = format!("redis://{secret}127.0.0.1:{}/0", server.port());
        let locker = Locker::open(&url).unwrap();
        for error in [
            locker.lock("k").acquire().map(drop).unwrap_err(),
            smol::block_on(locker.lock("k").acquire_async()).map(drop).unwrap_err(),
            locker.ping().unwrap_err(),
        ] {
            let text = format!("{error} {error:?} {locker:?}");
            assert!(!text.contains("hunter2"), "{text}");
            assert!(
                error.to_string().contains(said) || error.to_string().to_lowercase().contains("auth"),
                "{error}"
            );
            assert!(error.to_string().contains(&server.port().to_string()), "{error}");
            assert!(!error.is_retryable(), "{error}");
        }
    }
    Locker::open(&server.url()).unwrap().lock("k").acquire().unwrap().release().unwrap();
}

#[test]
fn a_replica_is_refused_in_words() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
    let synchronised = || replica.info("replication", "master_link_status").as_deref() == Some("up");
    assert!(eventually(LONG, synchronised));
    let error = Locker::open(&replica.url()).unwrap().lock("k").acquire().unwrap_err();
    assert!(error.to_string().contains("replica") && error.to_string().contains("master"), "{error}");
    assert_eq!(master.ask(&["DBSIZE"]).int(), 0);
}

#[test]
fn a_master_that_becomes_a_replica_grants_nothing_any_more() {
    let (scene, master) = (Scene::new(LONG), RedisServer::start());
    let locker = scene.far();
    locker.lock("k").acquire().unwrap().release().unwrap();
    scene.server.ask(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    for side in [Side::Blocking, Side::Async] {
        let error = acquire(&locker.lock("k").wait(LOOK), side).unwrap_err();
        assert!(error.to_string().contains("replica"), "{error}");
    }
    scene.server.ask(&["REPLICAOF", "NO", "ONE"]);
    let begin = Instant::now();
    assert!(eventually(LONG, || locker.lock("k").acquire().is_ok()));
    assert!(running_since(begin) < FREED * 4, "{:?}", begin.elapsed());
}

#[test]
fn a_server_that_is_not_there_is_an_error_soon_and_a_lock_later() {
    let port = free_port();
    let locker = Locker::open(&format!("redis://127.0.0.1:{port}/0?retry=20ms")).unwrap();
    for side in [Side::Blocking, Side::Async] {
        let begin = Instant::now();
        let error = acquire(&locker.lock("k"), side).unwrap_err();
        assert!(running_since(begin) < ms(1000), "told after {:?}", begin.elapsed());
        assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}
