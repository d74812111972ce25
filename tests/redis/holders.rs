//! Holders that give nothing back, and others' that tell nobody: who waits has the lock in time.

use std::{thread, time::Instant};

use lock_core::conformance::pulse;
use tests::report;

use crate::scene::{FREED, LONG, LOOK, SIDES, Scene, acquire, ms, running_since, side};

const TIMES: u32 = 50;

#[test]
fn a_killed_holder_is_followed_when_its_time_is_over() {
    let ttl = ms(300);
    let scene = Scene::new(ttl);
    let locker = scene.far();
    let worst = (0..TIMES).map(|round| {
        let lock = locker.lock("k").wait(LONG);
        let mut victim = scene.peer(side(round));
        let token = smol::block_on(victim.hold("g", "k", &[]));
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let guard = acquire(&lock, side(round)).unwrap();
                (Instant::now(), guard)
            });
            scene.wait_in_line("k", 1);
            let begin = Instant::now();
            victim.kill();
            let (had, guard) = waiter.join().unwrap();
            assert!(guard.fencing_token() > token);
            (had - begin).saturating_sub(pulse::stalled_since(begin))
        })
    });
    let worst = worst.max().unwrap();
    report(&format!("redis: {TIMES} holders killed, ttl {ttl:?}, worst re-acquire {worst:?}"));
    assert!(worst <= ttl + FREED, "{worst:?}");
}

#[test]
fn a_foreign_holder_that_tells_nobody_is_noticed_within_retry() {
    let mut scene = Scene::new(LONG);
    let retry = ms(100);
    scene.settings.retry = Some(retry);
    let locker = scene.far();
    let worst = (0..20).map(|round| {
        assert_eq!(scene.server.ask(&["SET", "lock:k", "theirs", "NX", "PX", "30000"]).text(), "OK");
        let lock = locker.lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let guard = acquire(&lock, side(round)).unwrap();
                (Instant::now(), guard)
            });
            thread::sleep(retry * 2);
            assert!(!waiter.is_finished());
            let begin = Instant::now();
            scene.server.ask(&["DEL", "lock:k"]);
            let (had, guard) = waiter.join().unwrap();
            guard.release().unwrap();
            (had - begin).saturating_sub(pulse::stalled_since(begin))
        })
    });
    let worst = worst.max().unwrap();
    report(&format!(
        "redis: 20 foreign holders gone without a word, noticed after {worst:?} at worst, retry {retry:?}"
    ));
    assert!(worst <= retry * 5 / 4 + ms(50), "{worst:?}");
}

#[test]
fn a_foreign_holder_whose_time_is_over_is_followed_at_once() {
    let mut scene = Scene::new(LONG);
    scene.settings.retry = Some(LONG);
    let locker = scene.far();
    for side in SIDES {
        scene.server.ask(&["SET", "lock:k", "theirs", "NX", "PX", "300"]);
        let begin = Instant::now();
        acquire(&locker.lock("k").wait(LONG), side).unwrap().release().unwrap();
        assert!(running_since(begin) <= ms(300) + LOOK, "{:?}", begin.elapsed());
    }
}
