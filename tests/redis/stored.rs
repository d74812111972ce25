//! What is on the server while a lock is held, and what of others is there is left alone.

use std::time::Duration;

use lock::{Locker, Owner};
use tests::servers::RedisServer;

use crate::scene::{LONG, Scene, ms};

#[test]
fn a_lock_is_a_plain_key_with_its_owner_and_a_time_to_live() {
    let scene = Scene::new(LONG);
    let guard = scene.far().lock("k").acquire().unwrap();
    assert_eq!(scene.server.ask(&["TYPE", "lock:k"]).text(), "string");
    assert_eq!(scene.server.ask(&["GET", "lock:k"]).text(), guard.owner().to_string());
    let left = Duration::from_millis(scene.server.ask(&["PTTL", "lock:k"]).int().unsigned_abs());
    assert!(left <= LONG && left >= guard.remaining(), "{left:?}");
    guard.release().unwrap();
    assert_eq!(scene.server.ask(&["EXISTS", "lock:k"]).int(), 0);
}

#[test]
fn what_stays_behind_goes_by_itself() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    (0..20).for_each(|number| locker.lock(format!("order:{number}")).acquire().unwrap().release().unwrap());
    let names = scene.server.ask(&["KEYS", "*"]);
    for name in names.texts() {
        assert!(scene.server.ask(&["PTTL", name]).int() > 0, "{name:?} stays for ever");
    }
}

#[test]
fn a_key_of_a_foreign_type_is_held_and_left_alone() {
    let scene = Scene::new(ms(300));
    let locker = scene.far();
    for (kind, command) in [
        ("hash", &["HSET", "lock:hash", "f", "v"][..]),
        ("list", &["RPUSH", "lock:list", "v"]),
        ("set", &["SADD", "lock:set", "v"]),
        ("zset", &["ZADD", "lock:zset", "1", "v"]),
        ("stream", &["XADD", "lock:stream", "1-1", "f", "v"]),
    ] {
        scene.server.ask(command);
        let key = format!("lock:{kind}");
        let before = scene.server.ask(&["DUMP", &key]);
        let lock = locker.lock(kind);
        assert!(lock.try_acquire().unwrap().is_none(), "{kind}");
        assert!(lock.clone().wait(ms(100)).acquire().unwrap_err().is_locked(), "{kind}");
        assert!(lock.is_locked().unwrap(), "{kind}");
        let error = lock.force_release().unwrap_err();
        assert!(error.to_string().contains("WRONGTYPE"), "{kind}: {error}");
        assert!(!error.is_retryable(), "{kind}: {error}");
        assert!(lock.adopt(Owner::random().unwrap()).unwrap_err().is_locked(), "{kind}");
        assert_eq!(scene.server.ask(&["DUMP", &key]), before, "{kind} was changed");
        assert_eq!(scene.server.ask(&["PTTL", &key]).int(), -1, "{kind} was given a time to live");
        scene.server.ask(&["DEL", &key]);
        lock.clone().wait(LONG).acquire().unwrap().release().unwrap();
    }
}

#[test]
fn a_text_that_somebody_else_stored_is_held_and_only_force_removes_it() {
    let scene = Scene::new(LONG);
    let lock = scene.far().lock("k");
    scene.server.ask(&["SET", "lock:k", "theirs"]);
    assert!(lock.clone().wait(ms(100)).acquire().unwrap_err().is_locked());
    let holder = lock.holder().unwrap().unwrap();
    assert_eq!((holder.owner.to_string().as_str(), holder.fencing_token, holder.pid), ("theirs", None, None));
    assert_eq!((holder.expires_in, holder.host), (None, None));
    assert_eq!(scene.server.ask(&["GET", "lock:k"]).text(), "theirs");
    assert!(lock.force_release().unwrap());
    lock.acquire().unwrap().release().unwrap();
}

#[test]
fn the_held_locks_are_found_among_many_keys_without_stopping_the_server() {
    let mut scene = Scene::new(LONG);
    let fill = "for i = 1, 5000 do redis.call('SET', 'other:' .. i, i) end";
    scene.server.ask(&["EVAL", fill, "0"]);
    for prefix in ["lock:", "app*[1]?:", "app"] {
        scene.settings.prefix = Some(prefix.into());
        let locker = scene.far();
        let guards: Vec<_> =
            ["a", "b:c", "ü"].iter().map(|name| locker.lock(*name).acquire().unwrap()).collect();
        let mut held: Vec<String> =
            scene.far().held().unwrap().iter().map(|holder| holder.key.to_string()).collect();
        held.sort();
        let mut expected: Vec<String> = guards.iter().map(|guard| guard.key().to_owned()).collect();
        expected.sort();
        assert_eq!(held, expected, "under {prefix:?}");
    }
    assert_eq!(scene.server.command_calls("keys"), 0);
    assert!(scene.server.command_calls("scan") > 0);
}

#[test]
fn a_url_names_user_password_database_and_prefix() {
    let server = RedisServer::start();
    server.ask(&["ACL", "SETUSER", "the:user", "on", ">p@ss:w/rd?", "~*", "&*", "+@all"]);
    server.ask(&["ACL", "SETUSER", "default", "off"]);
    let url =
        format!("redis://the%3Auser:p%40ss%3Aw%2Frd%3F@127.0.0.1:{}/3?prefix=app:&ttl=7s", server.port());
    let guard = Locker::open(&url).unwrap().lock("k").acquire().unwrap();
    assert!(guard.remaining() <= Duration::from_secs(7));
    let mut connection = server.connect().unwrap();
    connection.ask(&["AUTH", "the:user", "p@ss:w/rd?"]).unwrap();
    assert_eq!(connection.ask(&["EXISTS", "app:k"]).unwrap().int(), 0);
    connection.ask(&["SELECT", "3"]).unwrap();
    assert_eq!(connection.ask(&["GET", "app:k"]).unwrap().text(), guard.owner().to_string());
}

#[test]
fn databases_of_one_server_are_apart() {
    let server = RedisServer::start();
    let url = |database| format!("redis://127.0.0.1:{}/{database}", server.port());
    let lock = |database| Locker::open(&url(database)).unwrap().lock("k");
    let _held = lock(0).acquire().unwrap();
    assert!(lock(0).try_acquire().unwrap().is_none());
    lock(1).try_acquire().unwrap().expect("another database").release().unwrap();
}

#[test]
fn a_socket_leads_to_the_same_locks() {
    let server = RedisServer::with(&["--unixsocket", "socket"]);
    let by_socket = Locker::open(&format!("redis+unix://{}", server.socket().display())).unwrap();
    let by_port = Locker::open(&server.url()).unwrap();
    let guard = by_socket.lock("k").acquire().unwrap();
    assert!(by_port.lock("k").try_acquire().unwrap().is_none());
    guard.release().unwrap();
    by_port.lock("k").try_acquire().unwrap().expect("released").release().unwrap();
}
