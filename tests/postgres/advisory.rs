//! Session locks, `mode=advisory`: they end with their session, and everybody is told.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Error, Locker, Settings, backends::postgres::Advisory};
use lock_core::conformance::{Peer, Side};
use tests::{
    figures::Figures,
    journal::Journal,
    scratch::Scratch,
    servers::{PgbouncerServer, Pooling, PostgresServer},
    subjects::holder,
};

use crate::scene::{
    LONG, LOOK, SIDES, acquire, eventually, kill, lost_within, ms, release, running_since, side, stop,
};

/// Ends the sessions that have locks.
const END: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'";

struct Scene {
    server: PostgresServer,
    settings: Settings,
}

impl Scene {
    fn new() -> Self {
        let settings = Settings {
            prefix: Some("lock:".into()),
            // Nothing is renewed, and nothing ends by it.
            ttl: Some(ms(200)),
            retry: Some(ms(20)),
            ..Settings::default()
        };
        Self { server: PostgresServer::start(), settings }
    }

    fn url(&self) -> String {
        self.server.url() + "?mode=advisory"
    }

    /// A client of its own, connected.
    fn client(&self) -> Locker {
        let locker = Locker::with_backend_and(Advisory::open(&self.url()).unwrap(), &self.settings).unwrap();
        locker.ping().unwrap();
        locker
    }

    fn peer(&self) -> Peer {
        Peer::start(holder(&self.url()), &self.settings, Side::Blocking).unwrap()
    }
}

#[test]
fn a_session_that_ends_is_told_to_all_who_hold_on_it_and_a_waiter_has_the_key() {
    let scene = Scene::new();
    let scratch = Scratch::new("advisory");
    let journal = Journal::at(scratch.path().join("history"));
    let mut figures = Figures::default();
    let (ours, theirs) = (scene.client(), scene.client());
    for round in 0..10 {
        let side = side(round);
        let guard = acquire(&ours.lock("k"), side).unwrap();
        let other = acquire(&ours.lock("other"), side).unwrap();
        journal.acquired(&guard);
        let waiter = thread::spawn({
            let lock = theirs.lock("k").wait(LONG);
            move || {
                let guard = acquire(&lock, side).unwrap();
                (Instant::now(), guard)
            }
        });
        thread::sleep(ms(50));
        // The server frees it a moment before we can hear of it, so that this is where the journal ends a hold.
        journal.releasing(&guard);
        let begin = Instant::now();
        assert_eq!(scene.server.ask(END), "2", "a session with two locks");
        figures.faults += 1;
        for lost in [&guard, &other] {
            let told = lost_within(lost, LONG).expect("the loss is told");
            figures.told(told);
            assert!(!lost.is_held() && lost.check().unwrap_err().is_lost());
            assert!(release(lost, side).unwrap_err().is_lost());
        }
        let (had, successor) = waiter.join().unwrap();
        journal.acquired(&successor);
        figures.reacquired(had.saturating_duration_since(begin));
        assert!(successor.fencing_token() > guard.fencing_token() && successor.is_held());
        journal.releasing(&successor);
        release(&successor, side).unwrap();
    }
    let history = journal.history();
    figures.report("postgres, advisory", "session ended", history.double_holds());
    history.assert_right();
}

#[test]
fn killed_holders_are_free_at_once() {
    let scene = Scene::new();
    let ours = scene.client();
    let mut worst = Duration::ZERO;
    for _ in 0..50 {
        let mut peer = scene.peer();
        smol::block_on(peer.hold("g", "k", &[]));
        assert!(acquire(&ours.lock("k").blocking(false), Side::Blocking).unwrap_err().is_locked());
        let waiter = thread::spawn({
            let lock = ours.lock("k").wait(LONG);
            move || acquire(&lock, Side::Blocking).unwrap()
        });
        let begin = Instant::now();
        kill(&mut peer);
        let guard = waiter.join().unwrap();
        worst = worst.max(running_since(begin));
        release(&guard, Side::Blocking).unwrap();
    }
    let figures = Figures { faults: 50, reacquired: worst, told: None };
    figures.report("postgres, advisory", "holder killed", 0);
    assert!(worst <= LOOK + ms(250), "{worst:?}");
}

#[test]
fn a_holder_that_is_stopped_is_not_overtaken() {
    let scene = Scene::new();
    let ours = scene.client();
    let mut peer = scene.peer();
    smol::block_on(peer.hold("g", "k", &[]));
    stop(&peer);
    let refused = ours.lock("k").wait(Duration::from_secs(2)).acquire();
    assert!(matches!(refused, Err(Error::Timeout { .. })), "{refused:?}");
    peer.go_on();
    assert_eq!(smol::block_on(peer.ask(&["held", "g"])), ["true"], "it has it as before");
}

#[test]
fn a_forced_release_takes_one_hold_and_no_other() {
    let scene = Scene::new();
    let (ours, theirs, third) = (scene.client(), scene.client(), scene.client());
    for round in 0..20 {
        let side = side(round);
        let guard = acquire(&ours.lock("k"), side).unwrap();
        let other = acquire(&ours.lock("other"), side).unwrap();
        let waiter = thread::spawn({
            let lock = theirs.lock("k").wait(LONG);
            move || acquire(&lock, side).unwrap()
        });
        thread::sleep(ms(20));
        assert!(third.lock("k").force_release().unwrap());
        let successor = waiter.join().unwrap();
        assert!(lost_within(&guard, LONG).is_some(), "the loss is told");
        // Long enough for a message that was meant for the other one.
        thread::sleep(ms(30));
        assert!(successor.is_held() && other.is_held(), "only one hold was taken");
        release(&successor, side).unwrap();
        release(&other, side).unwrap();
    }
    assert!(!third.lock("k").force_release().unwrap(), "nobody has it");
}

#[test]
fn a_holder_that_does_not_answer_is_forced_by_the_end_of_its_session() {
    let scene = Scene::new();
    let ours = scene.client();
    let mut peer = scene.peer();
    smol::block_on(peer.hold("g", "k", &[]));
    stop(&peer);
    assert!(ours.lock("k").force_release().unwrap());
    let guard = ours.lock("k").wait(LONG).acquire().unwrap();
    peer.go_on();
    assert!(eventually(LONG, || smol::block_on(peer.ask(&["held", "g"])) == ["false"]), "it is told");
    assert!(guard.is_held());
}

#[test]
fn a_server_that_is_killed_ends_all_and_tokens_go_on_growing() {
    let scene = Scene::new();
    let ours = scene.client();
    let guard = ours.lock("k").acquire().unwrap();
    scene.server.kill9();
    assert!(lost_within(&guard, LONG).is_some());
    scene.server.restart();
    let again = ours.lock("k").wait(LONG).acquire().unwrap();
    assert!(again.fencing_token() > guard.fencing_token());
    assert!(guard.release().unwrap_err().is_lost() && again.is_held());
}

/// Also by one who may not make the table, which is there.
#[test]
fn a_row_that_somebodys_transaction_keeps_is_held_and_no_error() {
    let scene = Scene::new();
    release(&scene.client().lock("k").acquire().unwrap(), Side::Blocking).unwrap();
    scene.server.ask(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE app LOGIN; \
         GRANT SELECT, INSERT, UPDATE ON lock_leases TO app",
    );
    let app = Advisory::open(&scene.url().replace("postgres@", "app@")).unwrap();
    let lock = Locker::with_backend_and(app, &scene.settings).unwrap().lock("k").wait(LONG);
    let mut session = scene.server.session();
    for side in SIDES {
        session.ask("BEGIN").unwrap();
        session.ask("SELECT key FROM lock_leases FOR UPDATE").unwrap();
        let error = acquire(&lock.clone().wait(ms(100)), side).unwrap_err();
        assert!(error.is_locked(), "{error:?}");
        session.ask("COMMIT").unwrap();
        release(&acquire(&lock, side).unwrap(), side).unwrap();
    }
    assert_eq!(scene.server.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

#[test]
fn a_pooler_is_refused_and_holders_are_listed() {
    let scene = Scene::new();
    for pooling in [Pooling::Transaction, Pooling::Session] {
        let pooler = PgbouncerServer::before(&scene.server, pooling, 2, true);
        let locker = Locker::open(&(pooler.url() + "?mode=advisory")).unwrap();
        let refused = locker.lock("k").acquire().unwrap_err();
        assert!(matches!(refused, Error::Unsupported { .. }), "{refused:?}");
        assert!(refused.to_string().contains("pooler"), "{refused}");
    }
    let ours = scene.client();
    let _guards = ["a", "b"].map(|key| ours.lock(key).acquire().unwrap());
    let held = scene.client().held().unwrap();
    let keys: Vec<_> = held.iter().map(|holder| holder.key.as_str()).collect();
    assert_eq!(keys, ["lock:a", "lock:b"]);
    assert!(held.iter().all(|holder| holder.pid == Some(std::process::id()) && holder.expires_in.is_none()));
}

#[test]
fn both_kinds_of_callers_exclude_each_other() {
    let scene = Scene::new();
    let (ours, theirs) = (scene.client(), scene.client());
    for holder in SIDES {
        for other in SIDES {
            let guard = acquire(&ours.lock("k"), holder).unwrap();
            assert!(acquire(&theirs.lock("k").blocking(false), other).unwrap_err().is_locked());
            assert!(acquire(&ours.lock("k").blocking(false), other).unwrap_err().is_locked());
            release(&guard, holder).unwrap();
        }
    }
}
