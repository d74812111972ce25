//! The table: made on demand, or by a migration; with few permissions, under other names; and what is said when it cannot be.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Error, Locker, backends::postgres::CREATE_TABLE};
use lock_core::conformance::Side;
use tests::{scene::Ends as _, servers::free_port};

use crate::scene::{
    FREED, LONG, SIDES, Scene, acquire, client, eventually, lost_within, ms, release, running_since, side,
};

#[test]
fn the_table_is_made_by_whoever_comes_first_of_many() {
    for round in 0..5 {
        let scene = Scene::new(LONG);
        let mut peers: Vec<_> = (0..3).map(|number| scene.peer(side(number))).collect();
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.tell(&["acquire", "g", &format!("peer {number}")]);
        }
        thread::scope(|scope| {
            for number in 0..12 {
                let locker = scene.far();
                scope.spawn(move || {
                    let guard = acquire(&locker.lock(format!("{number}")), side(number)).unwrap();
                    release(&guard, side(number)).unwrap();
                });
            }
        });
        for peer in &mut peers {
            let answer = smol::block_on(peer.answer());
            assert_eq!(answer[0], "granted", "round {round}: {answer:?}");
        }
        assert_eq!(scene.number("SELECT count(*) FROM lock_leases"), 15);
    }
}

/// A locker of a role of its own.
fn app(scene: &Scene, query: &str) -> Locker {
    client(&(scene.server.url().replace("postgres@", "app@") + query), &scene.settings)
}

#[test]
fn four_permissions_on_a_table_made_by_a_migration_are_enough() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    scene.ask(&CREATE_TABLE.replace("{table}", "lock_leases"));
    scene.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON lock_leases TO app");
    old_rows(&scene, 10);
    let (holding, waiting) = (app(&scene, ""), app(&scene, ""));
    for side in SIDES {
        let guard = acquire(&holding.lock("k"), side).unwrap();
        assert_eq!(waiting.held().unwrap().len(), 1);
        let lock = waiting.lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&lock, side).unwrap());
            scene.wait_in_line("k", 1);
            let begin = Instant::now();
            release(&guard, side).unwrap();
            release(&waiter.join().unwrap(), side).unwrap();
            assert!(running_since(begin) <= FREED, "not told: {:?}", begin.elapsed());
        });
        let guard = acquire(&holding.lock("k"), side).unwrap();
        assert!(waiting.lock("k").force_release().unwrap());
        assert!(release(&guard, side).unwrap_err().is_lost());
    }
    assert!(eventually(LONG, || scene.number(OLD) == 0), "not pruned");
}

#[test]
fn without_permission_to_delete_unused_rows_stay_and_locks_work() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE ROLE app LOGIN");
    scene.ask(&CREATE_TABLE.replace("{table}", "lock_leases"));
    scene.ask("GRANT SELECT, INSERT, UPDATE ON lock_leases TO app");
    old_rows(&scene, 10);
    let locker = app(&scene, "");
    for side in SIDES {
        release(&acquire(&locker.lock("k"), side).unwrap(), side).unwrap();
    }
    assert_eq!(scene.number(OLD), 10);
}

#[test]
fn without_a_table_and_without_permission_to_make_it_the_error_says_what_to_do() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    for side in SIDES {
        let error = refused(&app(&scene, ""), side);
        assert!(error.contains("permission denied") && error.contains("CREATE on the schema"), "{error}");
    }
    scene.ask(&CREATE_TABLE.replace("{table}", "lock_leases"));
    let error = refused(&app(&scene, ""), SIDES[0]);
    assert!(error.contains("SELECT, INSERT, UPDATE and DELETE"), "{error}");
    let error = refused(&app(&scene, "?table=nowhere.leases"), SIDES[0]);
    assert!(error.contains("nowhere") && error.contains("schema"), "{error}");
}

#[test]
fn a_user_who_may_have_one_connection_gets_on_with_it() {
    let scene = Scene::new(ms(900));
    scene.ask("CREATE ROLE app LOGIN CONNECTION LIMIT 1; GRANT ALL ON SCHEMA public TO app");
    let locker = app(&scene, "");
    let held = acquire(&locker.lock("held"), Side::Blocking).unwrap();
    for round in 0..3 {
        for side in SIDES.into_iter().cycle().take(20) {
            release(&acquire(&locker.lock("k").wait(LONG), side).unwrap(), side).unwrap();
        }
        if round == 1 {
            // Whoever is quickest has it next: the others, and the renewals, are not to be shut out by that.
            scene.server.end_sessions();
        }
    }
    assert_eq!(lost_within(&held, ms(2700)), None, "it is renewed");
}

/// What is said to one who would wait for ever: soon, and no secret of his.
fn refused(locker: &Locker, side: Side) -> String {
    let begin = Instant::now();
    let error = acquire(&locker.lock("k"), side).unwrap_err();
    assert!(running_since(begin) <= Duration::from_secs(2), "said after {:?}: {error}", begin.elapsed());
    assert!(matches!(error, Error::Backend { .. }), "{error:?}");
    let said = format!("{error:?} {error}");
    assert!(!said.contains("secret"), "{said}");
    said
}

#[test]
fn the_table_has_the_name_that_it_is_given() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE SCHEMA \"App\"");
    for (given, quoted) in
        [("leases_2", "leases_2"), ("App.Leases", "\"App\".\"Leases\""), ("_x", "_x"), ("user", "\"user\"")]
    {
        let url = format!("{}?table={given}", scene.server.url());
        let (holding, waiting) = (client(&url, &scene.settings), client(&url, &scene.settings));
        let guard = holding.lock("k").acquire().unwrap();
        assert_eq!(scene.ask(&format!("SELECT owner FROM {quoted}")), guard.owner().to_string());
        // Tables are worlds of their own.
        assert!(scene.far().lock("k").try_acquire().unwrap().is_some());
        let lock = waiting.lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || lock.acquire().unwrap());
            let waits =
                || scene.ask(&format!("SELECT waiters <> '' FROM {quoted} WHERE key = 'lock:k'")) == "t";
            assert!(eventually(LONG, waits));
            guard.release().unwrap();
            waiter.join().unwrap().release().unwrap();
        });
    }
    assert_eq!(scene.ask("SELECT to_regclass('lock_leases')"), "lock_leases");
    let error = Locker::open(&format!("{}?table=a;b", scene.server.url())).unwrap_err().to_string();
    assert!(error.contains("table") && error.contains("a;b") && error.contains("accepted are"), "{error}");
}

#[test]
fn a_table_of_somebody_else_under_that_name_is_left_alone_and_told() {
    for columns in [
        "name text",
        "id bigint PRIMARY KEY, key text, owner text, token bigint, last_token bigint, acquired_at timestamptz, \
         expires_at timestamptz, host text, pid bigint, waiters text",
        "id text, key text, owner text, token bigint, last_token bigint, acquired_at timestamptz, \
         expires_at timestamptz, host text, pid bigint, waiters text",
        "id text PRIMARY KEY, key text, owner text, token bigint, last_token bigint, acquired_at timestamptz, \
         expires_at timestamptz, host text, pid bigint, waiters text, color text NOT NULL",
        "id text PRIMARY KEY, key text, owner text, token bigint, last_token bigint, acquired_at timestamptz, \
         expires_at timestamptz(0), host text, pid bigint, waiters text",
        "id text PRIMARY KEY, key text, owner text, token bigint, last_token bigint, acquired_at timestamp, \
         expires_at timestamp, host text, pid bigint, waiters text",
    ] {
        let scene = Scene::new(LONG);
        scene.ask(&format!("CREATE TABLE lock_leases ({columns})"));
        for side in SIDES {
            let error = refused(&scene.far(), side);
            assert!(error.contains("another one than this version"), "{columns}: {error}");
        }
        assert_eq!(scene.number("SELECT count(*) FROM lock_leases"), 0);
    }
}

/// Rows that were last used long ago.
fn old_rows(scene: &Scene, count: u32) {
    scene.ask(&format!(
        "INSERT INTO lock_leases SELECT 'old' || n, 'old', 'o', n, n, now() - interval '3 days', \
         now() - interval '2 days', 'h', 1, '' FROM generate_series(1, {count}) AS n"
    ));
}

const OLD: &str = "SELECT count(*) FROM lock_leases WHERE key = 'old'";

#[test]
fn rows_that_nobody_uses_go_and_no_token_goes_back() {
    let scene = Scene::new(LONG);
    let first = scene.far().lock("k").acquire().unwrap();
    let held = scene.far().lock("held").acquire().unwrap();
    first.release().unwrap();
    old_rows(&scene, 2500);
    // As if it had been released two days ago; what is held stays, whenever it was acquired.
    scene.ask("UPDATE lock_leases SET expires_at = expires_at - interval '2 days' WHERE key = 'lock:k'");
    scene.ask("UPDATE lock_leases SET acquired_at = acquired_at - interval '2 days' WHERE key = 'lock:held'");
    // A new client looks at its first grant.
    scene.far().lock("other").acquire().unwrap().release().unwrap();
    assert!(eventually(LONG, || scene.number("SELECT count(*) FROM lock_leases") == 2), "not pruned");
    let again = scene.far().lock("k").acquire().unwrap();
    assert!(again.fencing_token() > first.fencing_token());
    assert!(scene.far().lock("held").try_acquire().unwrap().is_none());
    held.release().unwrap();
}

#[test]
fn nothing_is_pruned_under_somebody_who_uses_it() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let lock = locker.lock("k");
    lock.acquire().unwrap().release().unwrap();
    let mut last = 0;
    for round in 0..30 {
        scene.ask("UPDATE lock_leases SET expires_at = now() - interval '2 days' WHERE key = 'lock:k'");
        let pruning = scene.far();
        thread::scope(|scope| {
            // Its first grant removes the row while others take it.
            scope.spawn(|| pruning.lock("other").wait(LONG).acquire().unwrap().release().unwrap());
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let guard = acquire(&lock.clone().wait(LONG), side(round)).unwrap();
                        scene.journal.acquired(&guard);
                        scene.journal.releasing(&guard);
                        release(&guard, side(round)).unwrap();
                        guard.fencing_token()
                    })
                })
                .collect();
            let tokens: Vec<u64> = takers.into_iter().map(|taker| taker.join().unwrap()).collect();
            assert!(tokens.iter().all(|token| *token > last), "{tokens:?} after {last}");
            last = tokens.into_iter().max().unwrap();
        });
    }
    scene.journal.history().assert_right();
}

#[test]
fn a_wrong_password_database_or_host_is_said_at_once_and_no_secret_with_it() {
    let scene = Scene::new(LONG);
    let hba = scene.ask("SHOW hba_file");
    scene.ask("CREATE ROLE app LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO app");
    scene.ask(&format!(
        "COPY (VALUES ('host all app all scram-sha-256'), ('host all all all trust')) TO '{hba}'"
    ));
    scene.ask("SELECT pg_reload_conf()");
    let port = scene.server.port();
    let open = |rest: &str| client(&format!("postgres://{rest}"), &scene.settings);
    let right = open(&format!("app:right@127.0.0.1:{port}/postgres"));
    assert!(eventually(LONG, || open(&format!("app@127.0.0.1:{port}/postgres")).ping().is_err()));
    for side in SIDES {
        release(&acquire(&right.lock("k"), side).unwrap(), side).unwrap();
        let error = refused(&open(&format!("app:secret@127.0.0.1:{port}/postgres")), side);
        assert!(error.contains("password authentication failed"), "{error}");
        let error = refused(&open(&format!("postgres:secret@127.0.0.1:{port}/nothing")), side);
        assert!(error.contains("database \"nothing\" does not exist"), "{error}");
        let error = refused(&open(&format!("app:secret@127.0.0.1:{}/postgres", free_port())), side);
        assert!(error.to_lowercase().contains("refused"), "{error}");
        let error = refused(&open("app:secret@nowhere.invalid/postgres"), side);
        assert!(error.contains("nowhere.invalid"), "{error}");
    }
    assert!(!format!("{right:?}").contains("right@"), "{right:?}");
    let limit = ms(300);
    let begin = Instant::now();
    let late = open(&format!("app:secret@127.0.0.1:{}/postgres", free_port()));
    acquire(&late.lock("k").wait(limit), SIDES[0]).unwrap_err();
    assert!(running_since(begin) <= limit + Duration::from_secs(1), "{:?}", begin.elapsed());
}

/// The same table under another spelling of its name: who waits is told all the same.
#[test]
fn a_table_is_one_whether_its_schema_is_said_or_not() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE SCHEMA app; CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA app TO app; ALTER ROLE app SET search_path = app");
    let short = app(&scene, "");
    let full = client(&format!("{}?table=app.lock_leases", scene.server.url()), &scene.settings);
    for (number, (holding, waiting)) in
        [(&short, &full), (&full, &short), (&short, &full)].into_iter().enumerate()
    {
        let guard = holding.lock("k").acquire().unwrap();
        let lock = waiting.lock("k").retry(LONG).wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || lock.acquire().unwrap());
            let waits = || scene.ask("SELECT waiters <> '' FROM app.lock_leases WHERE key = 'lock:k'") == "t";
            assert!(eventually(LONG, waits));
            scene.wait_for_listeners(number as u64 + 1 - u64::from(number == 2));
            let begin = Instant::now();
            guard.release().unwrap();
            waiter.join().unwrap().release().unwrap();
            assert!(running_since(begin) <= FREED, "not told: {:?}", begin.elapsed());
        });
    }
    assert_eq!(scene.number("SELECT count(*) FROM pg_class WHERE relname = 'lock_leases'"), 1);
}
