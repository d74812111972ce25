//! Processes that come back at once: each has its share, though nobody tells a waiter that it is his turn.

use std::{sync::mpsc, thread, time::Instant};

use tests::report;

use crate::scene::{LONG, SIDES, Scene, TTL, acquire, eventually, ms, release, running_since};

tests::share_suite!(Scene: four_greedy_processes_get_at_least_half_their_share_each);

/// Who looks rarely has it, though it is free for microseconds only before somebody wants it again who need not look.
#[test]
fn who_comes_back_at_once_comes_after_one_that_waits() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let back = scene.near().lock("k");
        let waiter = scene.far().lock("k").retry(ms(200));
        let mut guard = acquire(&back, side).unwrap();
        for _ in 0..5 {
            let (waiter, (tell, told)) = (waiter.clone(), mpsc::channel());
            thread::spawn(move || {
                let guard = waiter.acquire().unwrap();
                tell.send(guard.fencing_token()).unwrap();
            });
            assert!(eventually(LONG, || scene.server.ask("mg lock:k#next v") != "EN"), "nobody is next");
            release(&guard, side).unwrap();
            guard = acquire(&back, side).unwrap();
            assert!(told.try_recv().expect("it was not the waiter's turn") < guard.fencing_token());
        }
    }
}

#[test]
fn a_waiter_that_gives_up_or_dies_does_not_keep_it_from_the_others() {
    let scene = Scene::new(TTL);
    let next = || scene.server.ask("mg lock:k#next v");
    let (ours, guard) = (scene.far(), scene.near().lock("k").acquire().unwrap());
    ours.lock("k").wait(ms(100)).acquire().unwrap_err();
    assert!(eventually(LONG, || next() == "EN"), "{}", next());
    let mut dies = scene.crowd(SIDES[0]);
    dies.tell(&["work", "k", scene.journal.path().to_str().unwrap(), "1", "1000"]);
    assert!(eventually(LONG, || next() != "EN"), "nobody is next");
    // They know of him, and let him go first.
    let waits = {
        let lock = scene.far().lock("k");
        thread::spawn(move || lock.acquire().unwrap())
    };
    thread::sleep(ms(100));
    dies.kill();
    drop(guard);
    let begin = Instant::now();
    drop(waits.join().unwrap());
    let stalled = running_since(begin);
    report(&format!("memcached: a killed waiter that was to be the next one: {} ms", stalled.as_millis()));
    assert!(stalled < ms(2500), "{stalled:?}");
}
