//! The network and the server fail, at every point of a lock's life.

use std::{
    thread,
    time::{Duration, Instant},
};

use tests::{faults::storm::rage, scene::Stage, servers::RedisServer};

use crate::scene::{LONG, SIDES, Scene, acquire, ms, release, running_since};

tests::fault_suite!(RedisServer: keeps, forgets, ends);

#[test]
fn whatever_goes_wrong_and_also_the_server_if_it_keeps_its_data() {
    rage("storm with restarts", RedisServer::lasting(), true);
}

#[test]
fn who_waits_goes_on_after_a_restart_that_lost_the_line() {
    for side in SIDES {
        let scene = Scene::on(RedisServer::lasting(), LONG);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        let lock = scene.far().lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&lock, side).unwrap().release());
            scene.wait_in_line("k", 1);
            scene.server.ask(&["DEL", "lock:k\u{1f}waiters"]);
            scene.server.kill9();
            scene.server.restart();
            thread::sleep(ms(200));
            let begin = Instant::now();
            release(&guard, side).unwrap();
            waiter.join().unwrap().unwrap();
            assert!(running_since(begin) <= Duration::from_secs(1), "{:?}", begin.elapsed());
        });
    }
}
