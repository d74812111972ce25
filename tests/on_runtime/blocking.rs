//! Blocking callers, who have a few connections that no other runtime drives.

use std::{sync::Arc, thread};

use tests::callers::{LONG, eventually};
use tokio::runtime::Runtime;

use crate::scene::{alone, driven, on_each};

#[test]
fn blocking_callers_have_a_few_connections_at_most_which_end_with_the_locker() {
    on_each(|scene| {
        let locker = scene.far_by_proxy(LONG);
        let pair = |key: &str| locker.lock(key).acquire().unwrap().release().unwrap();
        locker.ping().unwrap();
        let shared = scene.proxy.open();
        for _ in 0..20 {
            pair("k");
        }
        assert_eq!(scene.proxy.open(), shared + 1, "{}: one for who is alone", scene.name);
        thread::scope(|scope| {
            for number in 0..16 {
                scope.spawn(move || (0..20).for_each(|_| pair(&format!("k{number}"))));
            }
        });
        let (open, most) = (scene.proxy.open(), scene.shared + scene.of_blocking);
        assert!(open <= most, "{}: {open}", scene.name);
        drop(locker);
        assert!(eventually(LONG, || scene.proxy.open() == 0), "{}: they end with the locker", scene.name);
    });
}

#[test]
fn a_blocking_call_may_be_made_and_all_of_it_dropped_inside_any_runtime() {
    on_each(|scene| {
        let locker = scene.far_by_proxy(LONG);
        // Outside, it has connections of its own, which are dropped inside.
        for _ in 0..5 {
            locker.lock("k").acquire().unwrap().release().unwrap();
        }
        let guard = locker.lock("outside").acquire().unwrap();
        let inside = |runtime: &Runtime| {
            runtime.block_on(async {
                for _ in 0..5 {
                    locker.lock("k").acquire().unwrap().release().unwrap();
                    drop(locker.lock("k").acquire().unwrap());
                }
            });
        };
        inside(&alone());
        inside(&driven());
        driven().block_on(async {
            drop(guard);
            scene.proxy.reset_all();
            drop(locker.lock("k").wait(LONG).acquire().unwrap());
            drop(locker);
        });
        assert!(eventually(LONG, || scene.proxy.open() == 0), "{}", scene.name);
        let free = || !scene.far().lock("outside").is_locked().unwrap();
        assert!(eventually(LONG, free), "{}", scene.name);
    });
}

#[test]
fn blocking_callers_go_on_when_their_connections_were_ended_and_when_nothing_answers_on_them() {
    on_each(|scene| {
        let locker = Arc::new(scene.far_by_proxy(LONG));
        let lock = locker.lock("k").wait(LONG);
        for round in 0..6 {
            for _ in 0..3 {
                drop(lock.acquire().unwrap_or_else(|error| panic!("{}, {round}: {error}", scene.name)));
            }
            if round % 2 == 0 {
                scene.proxy.reset_all();
            } else {
                let waiting = lock.clone();
                scene.proxy.black_hole();
                let caller = thread::spawn(move || drop(waiting.acquire()));
                thread::sleep(tests::callers::ms(300));
                scene.proxy.pass();
                caller.join().unwrap();
            }
        }
        let free = || !scene.far().lock("k").is_locked().unwrap();
        assert!(eventually(LONG, free), "{}", scene.name);
    });
}
