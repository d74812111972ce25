//! Keys that a database might take for something else, or for each other.

use std::collections::BTreeSet;

use lock::Locker;

use crate::scene::{LONG, Scene};

#[test]
fn keys_that_look_like_sql_or_like_each_other_are_just_different_keys() {
    let scene = Scene::new(LONG);
    let long = "x".repeat(4096 - "lock:".len());
    let keys = [
        "a",
        "A",
        "a ",
        " a",
        "'",
        "''",
        "\"; DROP TABLE lock_leases; --",
        "%",
        "_",
        "a%",
        "?1",
        ":now",
        "{table}",
        "é",
        "e\u{301}",
        "🦀",
        "\u{ff21}",
        "ß",
        "SS",
        "NULL",
        "0",
        "00",
        &long,
        &long[1..],
    ];
    let (locker, other) = (scene.client(), scene.client());
    let guards: Vec<_> =
        keys.iter().map(|key| locker.lock(*key).try_acquire().unwrap().expect(key)).collect();
    for key in keys {
        assert!(other.lock(key).try_acquire().unwrap().is_none(), "{key:?} was had twice");
        let holder = other.lock(key).holder().unwrap().unwrap();
        assert_eq!(holder.key.as_str(), format!("lock:{key}"));
    }
    let held: BTreeSet<String> = other
        .held()
        .unwrap()
        .into_iter()
        .map(|holder| holder.key.as_str()["lock:".len()..].to_owned())
        .collect();
    assert_eq!(held, keys.iter().map(ToString::to_string).collect());
    guards.iter().for_each(|guard| guard.release().unwrap());
    assert_eq!(other.held().unwrap(), []);
}

#[test]
fn a_prefix_is_taken_letter_by_letter() {
    let scene = Scene::new(LONG);
    let open = |prefix: &str| Locker::open(&format!("{}?prefix={prefix}", scene.url())).unwrap();
    let (upper, percent, umlaut) = (open("A:"), open("%25:"), open("%C3%A4:"));
    let _guards = [&upper, &percent, &umlaut].map(|locker| locker.lock("k").acquire().unwrap());
    assert_eq!(open("a:").held().unwrap(), []);
    assert_eq!(open("_:").held().unwrap(), []);
    for locker in [upper, percent, umlaut] {
        assert_eq!(locker.held().unwrap().len(), 1);
    }
    assert_eq!(open("").held().unwrap().len(), 3);
}

#[test]
fn lockers_of_one_process_on_one_file_exclude_each_other() {
    let scene = Scene::new(LONG);
    let dotted = scene.url().replace("app.db", "./app.db");
    let lockers = [Locker::open(&scene.url()).unwrap(), Locker::open(&scene.url()).unwrap(), scene.client()];
    let beside = Locker::open(&dotted).unwrap();
    for locker in &lockers {
        let guard = locker.lock("k").acquire().unwrap();
        for other in lockers.iter().chain([&beside]) {
            assert!(other.lock("k").try_acquire().unwrap().is_none());
        }
        guard.release().unwrap();
    }
}

#[test]
fn containers_with_clocks_of_their_own_exclude_each_other() {
    let scene = Scene::new(LONG);
    let (mut ahead, lock) = (scene.peer_of_another_time(), scene.client().lock("k").wait(LONG));
    let guard = lock.acquire().unwrap();
    assert_eq!(
        smol::block_on(ahead.ask(&["acquire", "g", "k", "wait=100"]))[0],
        "timeout",
        "it sees no lease"
    );
    guard.release().unwrap();
    smol::block_on(ahead.hold("g", "k", &[]));
    assert!(lock.try_acquire().unwrap().is_none());
    assert_eq!(smol::block_on(ahead.ask(&["release", "g"])), ["released"]);
    lock.acquire().unwrap().release().unwrap();
}
