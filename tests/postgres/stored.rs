//! What is in the table, and that nothing stays there that nobody waits for.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Settings;
use tests::servers::{PgbouncerServer, Pooling};

use crate::scene::{LONG, SIDES, Scene, acquire, client, eventually, ms, release, side};

#[test]
fn a_row_says_whose_it_is_and_until_when() {
    let scene = Scene::new(LONG);
    let guard =
        scene.far().lock("k").owner("somebody's 'owner' \\ \u{1f600}".parse().unwrap()).acquire().unwrap();
    let shown = scene.ask(
        "SELECT concat_ws('|', key, owner, token, pid, expires_at - clock_timestamp() BETWEEN '20s' AND '30s', \
         clock_timestamp() - acquired_at BETWEEN '0s' AND '10s', waiters = '') FROM lock_leases",
    );
    let (token, pid) = (guard.fencing_token(), std::process::id());
    assert_eq!(shown, format!("lock:k|somebody's 'owner' \\ \u{1f600}|{token}|{pid}|t|t|t"));
    let holder = scene.far().lock("k").holder().unwrap().unwrap();
    assert_eq!((holder.pid, holder.fencing_token), (Some(pid), Some(token)));
    assert!(holder.host.is_some() && holder.acquired_at.is_some());
    assert!(
        scene.far().held().unwrap() == [scene.far().lock("k").holder().unwrap().unwrap()] || guard.is_held()
    );
}

/// Names that mean something to SQL, to a collation or to nobody.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "ä",
        "a\u{308}",
        "'",
        "''",
        "\\",
        "\\'",
        "'; DROP TABLE lock_leases; --",
        "$1",
        "$$",
        ":id",
        ":owner",
        "{table}",
        "{row}",
        "%s",
        "%",
        "_",
        "\"",
        "`",
        "E'\\x00'",
        "\u{1f600}",
        "\u{202e}abc",
        "ﬁ",
        "fi",
        "ß",
        "ss",
        "\u{feff}",
        "/",
        "a/b",
        "?",
        "NULL",
        "0",
        "-1",
        "(",
        "a\u{300}\u{301}",
    ]
    .map(Into::into)
    .into();
    names.push("x".repeat(4091));
    names.push("x".repeat(4090) + "y");
    names.push("\u{1f600}".repeat(1022));
    names
}

#[test]
fn hostile_names_are_names_and_each_is_another() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app; ALTER ROLE app SET standard_conforming_strings = off");
    let pooler = PgbouncerServer::before(&scene.server, Pooling::Transaction, 2, true);
    scene.ask("ALTER ROLE postgres SET standard_conforming_strings = off");
    for (name, url) in [
        ("direct", scene.server.url()),
        ("as app", scene.server.url().replace("postgres@", "app@") + "?table=of_app"),
        ("pooled", pooler.url() + "?table=pooled"),
    ] {
        let (locker, other) = (client(&url, &scene.settings), client(&url, &scene.settings));
        let guards: Vec<_> =
            names().into_iter().map(|name| locker.lock(name.clone()).acquire().unwrap()).collect();
        for (key, guard) in names().into_iter().zip(&guards) {
            assert!(other.lock(key.clone()).try_acquire().unwrap().is_none(), "{name}: {key:?}");
            let holder = other.lock(key.clone()).holder().unwrap().unwrap();
            assert_eq!((holder.key.as_str(), holder.owner), (guard.key(), guard.owner()), "{name}");
        }
        let mut held: Vec<String> =
            other.held().unwrap().iter().map(|holder| holder.key.as_str().to_owned()).collect();
        let mut expected: Vec<String> = names().iter().map(|name| format!("lock:{name}")).collect();
        held.sort();
        expected.sort();
        assert_eq!(held, expected, "{name}");
        guards.iter().for_each(|guard| guard.release().unwrap());
        assert_eq!(other.held().unwrap().len(), 0);
    }
}

#[test]
fn a_prefix_is_text_and_no_pattern() {
    let scene = Scene::new(LONG);
    let of = |prefix: &str| {
        client(&scene.server.url(), &Settings { prefix: Some(prefix.into()), ..scene.settings.clone() })
    };
    let _other = of("shopX1:").lock("k").acquire().unwrap();
    let _held = of("shop_1:").lock("k").acquire().unwrap();
    assert_eq!(of("shop_1:").held().unwrap().len(), 1);
    assert_eq!(of("%").held().unwrap().len(), 0);
    assert_eq!(of("").held().unwrap().len(), 2);
}

#[test]
fn tokens_grow_whatever_ends_a_lease() {
    let scene = Scene::new(ms(1500));
    let lock = scene.far().lock("k").wait(LONG);
    let mut last = 0;
    let mut grown = |token: u64, after: &str| {
        assert!(token > last, "{after}: {token} after {last}");
        last = token;
    };
    for side in SIDES {
        let guard = acquire(&lock, side).unwrap();
        grown(guard.fencing_token(), "release");
        scene.far().lock("k").force_release().unwrap();
        let guard = acquire(&lock, side).unwrap();
        grown(guard.fencing_token(), "forced release");
        drop(guard.into_owner());
        grown(acquire(&lock, side).unwrap().fencing_token(), "expiry");
        // A clock that was an hour ahead and is set right.
        scene.ask("UPDATE lock_leases SET token = token + 3600000000, last_token = last_token + 3600000000");
        grown(acquire(&lock, side).unwrap().fencing_token(), "a clock that goes back");
        let mut peer = scene.peer(side);
        grown(smol::block_on(peer.hold("g", "k", &[])), "another process");
        peer.kill();
        grown(acquire(&lock, side).unwrap().fencing_token(), "a holder that was killed");
    }
}

#[test]
fn whoever_gives_up_leaves_no_place_in_line() {
    let scene = Scene::new(LONG);
    let (holder, leaving) = (scene.far(), scene.far());
    let held = holder.lock("k").acquire().unwrap();
    for round in 0_u64..150 {
        let lock = leaving.lock("k");
        match round % 3 {
            0 => drop(acquire(&lock.wait(Duration::from_micros(round * 137 % 20_000)), side(0)).unwrap_err()),
            1 => smol::block_on(async {
                let waits = async { lock.acquire_async().await.map(Some) };
                let late = async {
                    smol::Timer::after(Duration::from_micros(round * 211 % 20_000)).await;
                    Ok(None)
                };
                assert!(smol::future::or(waits, late).await.unwrap().is_none());
            }),
            _ => assert!(lock.try_acquire().unwrap().is_none()),
        }
    }
    assert!(eventually(LONG, || scene.in_line("k") == 0), "{} in line", scene.in_line("k"));
    held.release().unwrap();
    release(&acquire(&leaving.lock("k"), side(1)).unwrap(), side(1)).unwrap();
}

#[test]
fn a_client_that_is_dropped_closes_its_connections_soon_whatever_they_do() {
    let scene = Scene::new(LONG);
    let held = scene.far().lock("k").acquire().unwrap();
    for round in 0..6 {
        let locker = scene.far();
        release(&acquire(&locker.lock("other"), side(round)).unwrap(), side(round)).unwrap();
        // It listens.
        assert!(acquire(&locker.lock("k").wait(ms(500)), side(round)).unwrap_err().is_locked());
        if round % 2 == 0 {
            scene.wait_for_listeners(1);
        }
        drop(locker);
        let begin = Instant::now();
        assert!(eventually(LONG / 2, || scene.connections() <= 1), "{} are open", scene.connections());
        assert!(begin.elapsed() <= Duration::from_secs(3), "closed after {:?}", begin.elapsed());
    }
    held.release().unwrap();
}

#[test]
fn a_runtime_that_ends_takes_nothing_with_it() {
    let scene = Scene::new(ms(1500));
    let (locker, other) = (scene.far(), scene.far());
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = runtime();
    let lock = locker.lock("k");
    let guard = first.block_on(async { lock.acquire_async().await.unwrap() });
    // One who waits is dropped with his runtime, in line.
    let waits = other.lock("k");
    first.spawn(async move { waits.acquire_async().await });
    scene.wait_in_line("k", 1);
    drop(first);
    assert!(eventually(LONG, || scene.in_line("k") == 0));
    // Two ttls.
    thread::sleep(ms(3000));
    assert!(guard.is_held());
    runtime().block_on(async { guard.release_async().await.unwrap() });
    release(&acquire(&other.lock("k"), SIDES[1]).unwrap(), SIDES[1]).unwrap();
}
