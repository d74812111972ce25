//! The same keys, used by redis-py's `Lock` and by django-redis: they exclude us, and we them.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Locker, Settings};
use lock_core::conformance::{Peer, Side};
use tests::python::python;

use crate::scene::{LONG, LOOK, SIDES, Scene, acquire, client, eventually, ms, release, running_since};

const RETRY: Duration = ms(20);

/// A process with redis-py in it.
fn theirs(scene: &Scene) -> Peer {
    let mut command = python("interop/fleet.py");
    command.arg(scene.server.port().to_string());
    Peer::start(command, &Settings::default(), Side::Blocking).unwrap()
}

fn ask(peer: &mut Peer, order: &[&str]) -> Vec<String> {
    smol::block_on(peer.ask(order))
}

fn had(answer: &[String]) -> &str {
    assert_eq!(answer[0], "had", "{answer:?}");
    &answer[1]
}

#[test]
fn what_we_hold_they_are_refused_and_have_when_we_release() {
    let scene = Scene::new(LONG);
    let (locker, mut them) = (scene.far(), theirs(&scene));
    for side in SIDES {
        let guard = acquire(&locker.lock("k"), side).unwrap();
        assert_eq!(ask(&mut them, &["acquire", "lock:k", "30", "0"]), ["refused"]);
        assert_eq!(ask(&mut them, &["acquire", "lock:k", "30", "0.1"]), ["refused"]);
        them.tell(&["acquire", "lock:k", "30", "20"]);
        thread::sleep(ms(50));
        assert!(guard.is_held());
        let begin = Instant::now();
        release(&guard, side).unwrap();
        had(&smol::block_on(them.answer()));
        assert!(running_since(begin) <= LOOK, "{:?}", begin.elapsed());
        assert_eq!(ask(&mut them, &["release"]), ["released"]);
    }
}

#[test]
fn what_they_hold_we_are_refused_and_have_when_they_release() {
    let scene = Scene::new(LONG);
    let (locker, mut them) = (scene.far(), theirs(&scene));
    let mut last = 0;
    for side in SIDES {
        let token = had(&ask(&mut them, &["acquire", "lock:k", "30", "0"])).to_owned();
        let lock = locker.lock("k");
        assert!(acquire(&lock.clone().blocking(false), side).unwrap_err().is_locked());
        assert!(acquire(&lock.clone().wait(ms(100)), side).unwrap_err().is_locked());
        let holder = lock.holder().unwrap().unwrap();
        assert_eq!((holder.owner.to_string(), holder.fencing_token), (token, None));
        assert!(holder.expires_in.is_some_and(|left| left <= LONG));
        let waiting = lock.wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let guard = acquire(&waiting, side).unwrap();
                (Instant::now(), guard)
            });
            thread::sleep(ms(60));
            assert!(!waiter.is_finished());
            let begin = Instant::now();
            assert_eq!(ask(&mut them, &["release"]), ["released"]);
            let (at, guard) = waiter.join().unwrap();
            assert!(at - begin <= RETRY + LOOK, "{:?}", at - begin);
            assert!(guard.fencing_token() > last);
            last = guard.fencing_token();
            release(&guard, side).unwrap();
        });
    }
}

#[test]
fn what_they_leave_behind_we_have_when_its_time_is_over() {
    let scene = Scene::new(LONG);
    let (locker, mut them) = (scene.far(), theirs(&scene));
    for side in SIDES {
        let asked = Instant::now();
        had(&ask(&mut them, &["acquire", "lock:k", "0.4", "0"]));
        let begin = Instant::now();
        let guard = acquire(&locker.lock("k").wait(LONG), side).unwrap();
        let took = running_since(begin);
        assert!(took <= ms(400) + LOOK && asked.elapsed() >= ms(400), "{took:?}");
        assert_eq!(ask(&mut them, &["extend", "30"]), ["LockNotOwnedError"]);
        assert_eq!(ask(&mut them, &["release"]), ["LockNotOwnedError"]);
        assert!(guard.is_held());
        assert_eq!(scene.server.ask(&["GET", "lock:k"]).text(), guard.owner().to_string());
        release(&guard, side).unwrap();
    }
}

#[test]
fn what_we_leave_behind_they_have_when_its_time_is_over() {
    let scene = Scene::new(ms(300));
    let (locker, mut them) = (scene.far(), theirs(&scene));
    for side in SIDES {
        let guard = acquire(&locker.lock("k").renew(false), side).unwrap();
        let begin = Instant::now();
        had(&ask(&mut them, &["acquire", "lock:k", "30", "20"]));
        assert!(running_since(begin) <= ms(300) + LOOK, "{:?}", begin.elapsed());
        assert!(!guard.is_held());
        assert!(release(&guard, side).unwrap_err().is_lost());
        assert_eq!(ask(&mut them, &["owned"]), ["True"]);
        assert_eq!(ask(&mut them, &["release"]), ["released"]);
    }
}

#[test]
fn what_they_hold_can_be_forced_and_they_are_told() {
    let scene = Scene::new(LONG);
    let (locker, mut them) = (scene.far(), theirs(&scene));
    had(&ask(&mut them, &["acquire", "lock:k", "30", "0"]));
    assert!(locker.lock("k").force_release().unwrap());
    let guard = locker.lock("k").try_acquire().unwrap().expect("free");
    assert_eq!(ask(&mut them, &["owned"]), ["False"]);
    assert_eq!(ask(&mut them, &["release"]), ["LockNotOwnedError"]);
    assert!(guard.is_held());
}

#[test]
fn workers_of_both_kinds_exclude_each_other_and_all_get_on() {
    const TIMES: u32 = 60;
    let scene = Scene::new(LONG);
    let mut them = [theirs(&scene), theirs(&scene)];
    them.iter_mut().for_each(|peer| peer.tell(&["work", "lock:k", &TIMES.to_string()]));
    let crowded: u32 = thread::scope(|scope| {
        let ours: Vec<_> = SIDES
            .map(|side| {
                let (lock, mut server) = (scene.far().lock("k"), scene.server.connect().unwrap());
                scope.spawn(move || {
                    let mut crowded = 0;
                    for _ in 0..TIMES {
                        let guard = acquire(&lock, side).unwrap();
                        crowded += u32::from(server.ask(&["INCR", "inside"]).unwrap().int() != 1);
                        thread::sleep(ms(1));
                        server.ask(&["DECR", "inside"]).unwrap();
                        release(&guard, side).unwrap();
                        // redis-py waits by looking again, and would otherwise have no turn until we are done.
                        thread::sleep(ms(2));
                    }
                    crowded
                })
            })
            .into();
        ours.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(crowded, 0, "we were not alone");
    for peer in &mut them {
        assert_eq!(smol::block_on(peer.answer()), ["0"], "they were not alone");
    }
}

/// By its defaults, Django puts `:1:` before the names of a cache, as `KEY_PREFIX` and `VERSION` say.
#[test]
fn django_meets_us_where_the_prefix_is_the_same() {
    let scene = Scene::new(LONG);
    let mut them = theirs(&scene);
    for (prefix, theirs) in [(":1:", "k"), (":1:lock:", "lock:k")] {
        let locker = Locker::open(&format!("{}?prefix={prefix}", scene.server.url())).unwrap();
        let guard = locker.lock("k").acquire().unwrap();
        assert_eq!(ask(&mut them, &["django", theirs, "30", "0"]), ["refused"]);
        guard.release().unwrap();
        let token = had(&ask(&mut them, &["django", theirs, "30", "0"])).to_owned();
        assert_eq!(scene.server.ask(&["GET", &format!("{prefix}k")]).text(), token);
        assert!(locker.lock("k").try_acquire().unwrap().is_none());
        assert_eq!(ask(&mut them, &["release"]), ["released"]);
        locker.lock("k").try_acquire().unwrap().expect("released").release().unwrap();
    }
}

#[test]
fn a_lock_of_ours_stays_a_lock_of_ours_while_they_look_at_it() {
    let scene = Scene::new(ms(300));
    let (locker, mut them) = (client(&scene.server.url(), &scene.settings), theirs(&scene));
    let guard = locker.lock("k").acquire().unwrap();
    // Renewed for several of its ttls, under their eyes.
    let begin = Instant::now();
    while begin.elapsed() < ms(900) {
        assert_eq!(ask(&mut them, &["acquire", "lock:k", "30", "0.05"]), ["refused"]);
    }
    assert!(guard.is_held());
    guard.release().unwrap();
    assert!(eventually(LONG, || ask(&mut them, &["acquire", "lock:k", "30", "0"])[0] == "had"));
}
