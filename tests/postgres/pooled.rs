//! Behind pgbouncer, whatever it makes of sessions: nothing is prepared, nothing is left behind, and waiters poll.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Settings;
use tests::{
    report,
    servers::{PgbouncerServer, Pooling, PostgresServer, Session},
};

use crate::scene::{
    LONG, LOOK, SIDES, Scene, WINDOW, acquire, client, eventually, lost_within, ms, release, running_since,
    side,
};

/// Every mode, with a pooler that ignores what a client says of its session, and with one that refuses it.
const WAYS: [(Pooling, bool); 6] = [
    (Pooling::Transaction, true),
    (Pooling::Transaction, false),
    (Pooling::Statement, true),
    (Pooling::Statement, false),
    (Pooling::Session, true),
    (Pooling::Session, false),
];

/// Where sessions are not shared, each connection of a client takes one of the server.
fn connections(pooling: Pooling) -> u32 {
    if pooling == Pooling::Session { 60 } else { 2 }
}

#[test]
fn many_clients_exclude_each_other_through_two_sessions_in_every_mode() {
    const CLIENTS: u32 = 8;
    const HOLDS: u32 = 15;
    for (pooling, ignores) in WAYS {
        // What is set for everybody does not matter here either.
        let server = PostgresServer::with(&["default_transaction_isolation=serializable"]);
        let scene = Scene::on(server, LONG);
        let pooler = PgbouncerServer::before(&scene.server, pooling, connections(pooling), ignores);
        let begin = Instant::now();
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (scene, url) = (&scene, pooler.url());
                scope.spawn(move || {
                    // One of them is not behind it.
                    let locker = if number == 0 { scene.far() } else { client(&url, &scene.settings) };
                    for round in 0..HOLDS {
                        let guard = acquire(&locker.lock("k").wait(LONG), side(round)).unwrap();
                        scene.journal.acquired(&guard);
                        scene.journal.releasing(&guard);
                        release(&guard, side(round)).unwrap();
                    }
                });
            }
        });
        let history = scene.journal.history();
        report(&format!(
            "postgres: {CLIENTS} clients, {} holds in {:?} by pgbouncer in {pooling:?} mode that {} options, {} double holds",
            history.holds.len(),
            begin.elapsed(),
            if ignores { "ignores" } else { "refuses" },
            history.double_holds()
        ));
        assert_eq!(history.holds.len(), usize::try_from(CLIENTS * HOLDS).unwrap());
        history.assert_right();
        assert!(eventually(LONG, || scene.in_line("k") == 0));
    }
}

#[test]
fn a_waiter_behind_it_finds_a_release_within_retry_and_one_beside_it_is_told() {
    for (pooling, ignores) in WAYS {
        let scene = Scene::new(LONG);
        let pooler = PgbouncerServer::before(&scene.server, pooling, connections(pooling), ignores);
        let slow = Settings { retry: Some(ms(100)), ..scene.settings.clone() };
        let (near, far) = (client(&pooler.url(), &slow), scene.far());
        let (mut polls, mut told) = (Vec::new(), Vec::new());
        for round in 0..10 {
            let behind = round % 2 == 0;
            let (holds, waits) = if behind { (&far, &near) } else { (&near, &far) };
            let guard = acquire(&holds.lock("k"), side(round)).unwrap();
            let lock = waits.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side(round)).unwrap();
                    (Instant::now(), guard)
                });
                scene.wait_in_line("k", 1);
                let begin = Instant::now();
                release(&guard, side(round)).unwrap();
                let (had, guard) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                if behind {
                    polls.push(took);
                } else {
                    told.push(took);
                }
                release(&guard, side(round)).unwrap();
            });
        }
        polls.sort();
        told.sort();
        report(&format!("postgres: {pooling:?}: behind it had after {polls:?}, beside it after {told:?}"));
        assert!(polls[2] <= ms(125) + LOOK, "{polls:?}");
        assert!(told[2] <= ms(60), "{told:?}");
    }
}

/// What somebody else sees of each session of the server.
fn seen(pooler: &PgbouncerServer) -> Vec<String> {
    let mut others: Vec<Session> = (0..2).map(|_| Session::open(&pooler.url()).unwrap()).collect();
    let asked = "SELECT pg_backend_pid() || ': ' || (SELECT count(*) FROM pg_prepared_statements) || ' prepared, ' \
                 || current_setting('lock_timeout') || ', ' || current_setting('statement_timeout') || ', ' \
                 || current_setting('default_transaction_isolation') || ', ' || current_setting('synchronous_commit')";
    let mut seen: Vec<String> = Vec::new();
    for round in 0..20 {
        let other = &mut others[round % 2];
        // One at a time keeps its session for a while, so that the other has another.
        other.ask("BEGIN").unwrap();
        seen.extend(other.ask(asked).unwrap());
        let next = &mut others[(round + 1) % 2];
        seen.extend(next.ask(asked).unwrap());
        others[round % 2].ask("COMMIT").unwrap();
    }
    seen.sort();
    seen.dedup();
    seen
}

#[test]
fn nothing_is_left_in_sessions_that_others_use() {
    let server = PostgresServer::with(&["synchronous_commit=off"]);
    let scene = Scene::on(server, LONG);
    let pooler = PgbouncerServer::before(&scene.server, Pooling::Transaction, 2, true);
    thread::scope(|scope| {
        for number in 0..6 {
            let locker = client(&pooler.url(), &scene.settings);
            scope.spawn(move || {
                for round in 0..10 {
                    release(&acquire(&locker.lock("k").wait(LONG), side(number)).unwrap(), side(round))
                        .unwrap();
                }
                assert!(locker.held().unwrap().len() <= 1);
            });
        }
    });
    let seen = seen(&pooler);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|one| one.ends_with(": 0 prepared, 0, 0, read committed, off")), "{seen:?}");
}

#[test]
fn programs_that_prepare_statements_of_their_own_are_not_confused_and_do_not_confuse_us() {
    let scene = Scene::new(LONG);
    // One session: what anybody prepares is there for everybody, as a pooler in this mode is used by those who know.
    let pooler = PgbouncerServer::before(&scene.server, Pooling::Transaction, 1, true);
    let locker = client(&pooler.url(), &scene.settings);
    let (mut first, mut second) =
        (Session::open(&pooler.url()).unwrap(), Session::open(&pooler.url()).unwrap());
    second.ask("PREPARE theirs (bigint) AS SELECT $1 + 2").unwrap();
    for round in 0..50 {
        let guard = acquire(&locker.lock("k"), side(round)).unwrap();
        // Named as our client names them, too: sqlx_s_1.
        assert_eq!(first.prepared("SELECT $1 + 1", i64::from(round)).unwrap(), i64::from(round) + 1);
        assert_eq!(second.ask(&format!("EXECUTE theirs ({round})")).unwrap(), [(round + 2).to_string()]);
        release(&guard, side(round)).unwrap();
    }
}

#[test]
fn a_pooler_that_is_killed_and_comes_back_takes_nothing_away() {
    let ttl = Duration::from_secs(3);
    for pooling in [Pooling::Transaction, Pooling::Session] {
        let scene = Scene::new(ttl);
        let pooler = PgbouncerServer::before(&scene.server, pooling, connections(pooling), true);
        let (locker, waiting) =
            (client(&pooler.url(), &scene.settings), client(&pooler.url(), &scene.settings));
        for side in SIDES {
            let guard = acquire(&locker.lock("k").wait(LONG), side).unwrap();
            scene.journal.acquired(&guard);
            let lock = waiting.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let guard = loop {
                        match acquire(&lock, side) {
                            Ok(guard) => break guard,
                            // Nobody had answered it yet.
                            Err(error) => assert!(error.is_retryable(), "{error:?}"),
                        }
                        thread::sleep(ms(5));
                    };
                    scene.journal.acquired(&guard);
                    (Instant::now(), guard)
                });
                scene.wait_in_line("k", 1);
                pooler.kill9();
                thread::sleep(ms(300));
                pooler.restart();
                assert_eq!(lost_within(&guard, ttl), None, "lost with a pooler that was back in time");
                scene.journal.releasing(&guard);
                let begin = Instant::now();
                release(&guard, side).unwrap();
                let (had, successor) = waiter.join().unwrap();
                let took = had.saturating_duration_since(begin);
                assert!(took <= WINDOW + LOOK, "{took:?}");
                scene.journal.releasing(&successor);
                release(&successor, side).unwrap();
            });
        }
        scene.journal.history().assert_right();
    }
}

#[test]
fn a_client_that_finds_no_pooler_any_more_is_told_of_releases_again() {
    let scene = Scene::new(LONG);
    let pooler = PgbouncerServer::before(&scene.server, Pooling::Transaction, 2, false);
    let locker = client(&pooler.url(), &scene.settings);
    release(&acquire(&locker.lock("k"), SIDES[0]).unwrap(), SIDES[0]).unwrap();
    pooler.kill9();
    // In its place, on its port, the server itself.
    let direct = tests::proxy::Proxy::at(pooler.port(), scene.server.port());
    let slow = ms(5000);
    let again = || locker.ping().is_ok();
    assert!(eventually(LONG, again));
    let held = scene.far().lock("k").acquire().unwrap();
    let lock = locker.lock("k").retry(slow).wait(LONG);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || acquire(&lock, SIDES[0]).unwrap());
        scene.wait_in_line("k", 1);
        scene.wait_for_listeners(1);
        let begin = Instant::now();
        held.release().unwrap();
        release(&waiter.join().unwrap(), SIDES[0]).unwrap();
        assert!(running_since(begin) <= LOOK, "{:?}", begin.elapsed());
    });
    drop(direct);
}
