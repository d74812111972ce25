//! A server without room: what it evicts is told, and what it cannot store harms nobody.

use std::time::{Duration, Instant};

use tests::servers::MemcachedServer;

use crate::scene::{LONG, SIDES, Scene, acquire, lost_within, running_since};

/// Fills a server with items as large as a lock's.
fn fill(scene: &Scene, until: impl Fn(&str, u32) -> bool) {
    let mut text = scene.server.connect().unwrap();
    for number in 0..1_000_000 {
        // The length of a lock's name and number.
        let said = text.ask(&format!("ms fill:{number:07} 20 T0\r\n12345678901234567890")).unwrap();
        if until(&said, number) {
            return;
        }
    }
    panic!("it is never full");
}

#[test]
fn an_evicted_lock_is_a_loss_told_by_the_next_renewal() {
    let ttl = Duration::from_secs(9);
    for side in SIDES {
        let scene = Scene::on(MemcachedServer::with(&["-m", "2"]), ttl);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        // Not by a read, which would make it one that is in use.
        fill(&scene, |_, number| number % 1000 == 0 && scene.server.ask("me lock:k") == "EN");
        let begin = Instant::now();
        let told = lost_within(&guard, ttl).expect("told of the loss");
        assert!(
            told <= ttl / 3 + Duration::from_millis(100),
            "told {told:?} after {:?}",
            running_since(begin)
        );
        assert!(guard.check().unwrap_err().is_lost());
        tests::report(&format!("memcached: a lock evicted, told after {told:?} of a ttl of {ttl:?}"));
    }
}

#[test]
fn a_full_server_refuses_new_locks_and_keeps_the_old_ones() {
    for side in SIDES {
        let ttl = Duration::from_secs(3);
        let scene = Scene::on(MemcachedServer::with(&["-m", "2", "-M"]), ttl);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        fill(&scene, |said, _| said.contains("out of memory"));
        let begin = Instant::now();
        while begin.elapsed() < ttl * 2 {
            // An `ms` in mode "add" would delete it here.
            assert!(scene.far().lock("k").try_acquire().unwrap().is_none());
            assert!(guard.is_held() && scene.is_held("k"));
            std::thread::sleep(Duration::from_millis(50));
        }
        let error = acquire(&scene.far().lock("another").wait(LONG), side).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        guard.release().unwrap();
    }
}
