//! Blocking callers, who have a few connections that no other runtime drives.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock};
use tests::callers::{LONG, eventually, ms, running_since};
use tokio::{
    runtime::{Builder, Runtime},
    task::{block_in_place, spawn_blocking},
};

use crate::scene::{Scene, alone, driven, on_each};

fn blocking_pair(lock: &Lock) {
    lock.acquire().unwrap().release().unwrap();
}

fn is_free(scene: &Scene, key: &str) -> bool {
    eventually(LONG, || !scene.far().lock(key).is_locked().unwrap())
}

#[test]
fn blocking_callers_have_a_few_connections_at_most_which_end_with_the_locker() {
    on_each(|scene| {
        let locker = scene.by_proxy(LONG);
        locker.ping().unwrap();
        scene.be_quiet();
        let shared = scene.proxy.accepted();
        (0..20).for_each(|_| blocking_pair(&locker.lock("k")));
        assert_eq!(scene.proxy.accepted(), shared + 1, "{}: one for who is alone", scene.name);
        thread::scope(|scope| {
            for number in 0..16 {
                let lock = locker.lock(format!("k{number}"));
                scope.spawn(move || (0..20).for_each(|_| blocking_pair(&lock)));
            }
        });
        let few = || scene.proxy.open() <= scene.shared + scene.of_blocking;
        assert!(eventually(LONG, few), "{}: {}", scene.name, scene.proxy.open());
        drop(locker);
        assert!(eventually(LONG, || scene.proxy.open() == 0), "{}: they end with the locker", scene.name);
    });
}

#[test]
fn a_blocking_call_may_be_made_and_all_of_it_dropped_inside_any_runtime() {
    on_each(|scene| {
        let locker = scene.by_proxy(LONG);
        let (lock, outside) = (locker.lock("k"), locker.lock("outside"));
        let calls = || {
            for _ in 0..5 {
                blocking_pair(&lock);
                drop(lock.acquire().unwrap());
            }
        };
        // Outside, it has connections of its own, which are dropped inside.
        calls();
        let guard = outside.acquire().unwrap();
        alone().block_on(async { calls() });
        driven().block_on(async { calls() });
        let several = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        several.block_on(async {
            let of_a_thread = lock.clone();
            spawn_blocking(move || blocking_pair(&of_a_thread)).await.unwrap();
            let in_place = lock.clone();
            tokio::spawn(async move { block_in_place(|| blocking_pair(&in_place)) }).await.unwrap();
        });
        let entered = |runtime: &Runtime| {
            let _entered = runtime.enter();
            calls();
        };
        entered(&several);
        several.block_on(async {
            drop(guard);
            scene.proxy.reset_all();
            drop(lock.clone().wait(LONG).acquire().unwrap());
            drop((lock, outside, locker));
        });
        assert!(eventually(LONG, || scene.proxy.open() == 0), "{}", scene.name);
        assert!(is_free(scene, "outside"), "{}", scene.name);
    });
}

#[test]
fn a_guard_that_its_thread_keeps_is_released_at_the_end_of_the_thread() {
    thread_local!(static KEPT: RefCell<Option<Guard>> = const { RefCell::new(None) });
    on_each(|scene| {
        let locker = scene.by_proxy(LONG);
        (0..3).for_each(|_| blocking_pair(&locker.lock("k")));
        let lock = locker.lock("kept");
        let thread = thread::spawn(move || {
            // Before anything else of the thread's, so that it ends after that.
            KEPT.with(|kept| *kept.borrow_mut() = Some(lock.acquire().unwrap()));
        });
        thread.join().unwrap();
        assert!(is_free(scene, "kept"), "{}", scene.name);
    });
}

#[test]
fn blocking_callers_go_on_when_their_connections_were_ended_and_when_nothing_answers_on_them() {
    on_each(|scene| {
        let locker = scene.by_proxy(LONG);
        let lock = locker.lock("k").wait(LONG);
        for round in 0..6 {
            (0..3).for_each(|_| blocking_pair(&lock));
            if round % 2 == 0 {
                scene.proxy.reset_all();
                continue;
            }
            scene.proxy.black_hole();
            let begin = Instant::now();
            let refused = locker.lock("k").wait(ms(100)).acquire();
            let took = running_since(begin);
            assert!(refused.is_err(), "{}: nothing was answered", scene.name);
            assert!(took < Duration::from_millis(2500), "{}: {took:?}", scene.name);
            scene.proxy.pass();
        }
        assert!(is_free(scene, "k"), "{}", scene.name);
    });
}
