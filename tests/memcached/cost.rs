//! What a lock costs the server.

use std::thread;

use crate::scene::{LONG, SIDES, Scene, acquire, ms, release};

/// Connections of this process to a scene's server; the one that asks is not counted.
fn connections(scene: &Scene) -> u64 {
    // One listens, and one asks.
    scene.server.stat("curr_connections").saturating_sub(2)
}

#[test]
fn an_acquire_is_two_requests_and_a_release_two() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let lock = scene.near().lock("k");
        release(&acquire(&lock, side).unwrap(), side).unwrap();
        let asked = |name| scene.server.stat(name);
        let before = [asked("cmd_get"), asked("cmd_set"), asked("delete_hits")];
        for _ in 0..100 {
            release(&acquire(&lock, side).unwrap(), side).unwrap();
        }
        let after = [asked("cmd_get"), asked("cmd_set"), asked("delete_hits")];
        // A look at the clock, the record, the token, the lock and who is next; one more at those two before it goes.
        assert_eq!(after[0] - before[0], 700);
        // The record; numbers are not counted here.
        assert_eq!(after[2] - before[2], 100);
        assert!(after[1] - before[1] <= 300, "{}", after[1] - before[1]);
    }
}

#[test]
fn any_number_of_keys_and_callers_takes_a_few_connections() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let guards: Vec<_> = smol::block_on(async {
        let asked: Vec<_> = (0..500)
            .map(|number| {
                let lock = locker.lock(format!("{number}"));
                smol::spawn(async move { lock.acquire_async().await.unwrap() })
            })
            .collect();
        let mut guards = Vec::new();
        for asked in asked {
            guards.push(asked.await);
        }
        guards
    });
    thread::scope(|scope| {
        for number in 0..64 {
            let lock = locker.lock(format!("blocking-{number}"));
            scope.spawn(move || {
                for _ in 0..20 {
                    drop(lock.acquire().unwrap());
                }
            });
        }
    });
    // As many for blocking callers as for the others, and one that waits for the server's end.
    assert!(connections(&scene) <= 17, "{}", connections(&scene));
    drop(guards);
}

#[test]
fn waiters_of_a_process_cost_what_one_does() {
    let looks = |waiters: u32| {
        let scene = Scene::new(LONG);
        let (locker, guard) = (scene.far(), scene.far().lock("k").acquire().unwrap());
        let asked = thread::scope(|scope| {
            for _ in 0..waiters {
                let lock = locker.lock("k").wait(ms(1500));
                scope.spawn(move || lock.acquire().unwrap_err());
            }
            thread::sleep(ms(200));
            let before = scene.server.stat("cmd_get");
            thread::sleep(ms(1000));
            scene.server.stat("cmd_get") - before
        });
        drop(guard);
        asked
    };
    let (one, many) = (looks(1), looks(50));
    tests::report(&format!("memcached: {one} reads of one waiter in a second, {many} of 50"));
    // Five reads a look, one every 15 ms at most, and one now and then to stay the next; on a busy machine, fewer.
    let most = 6 * (1000 / 15 + 5);
    assert!(one <= most && many <= most, "{many} reads of 50 waiters, {one} of one");
}
