//! Connections in the threads of blocking callers and, with `on_runtime=yes`, on the runtimes of async callers: nothing is
//! to depend on them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod blocking;
mod crowd;
mod middle;
mod scene;

use std::time::{Duration, Instant};

use tests::callers::{LONG, eventually, ms, running_since};
use tokio::{
    runtime::{Builder, Handle},
    task::{JoinSet, block_in_place},
};

use crate::scene::{alone, driven, on_each, pair};

#[test]
fn a_runtime_has_a_few_connections_at_most_and_they_end_with_it() {
    on_each(|scene| {
        let (runtime, locker) = (driven(), scene.near(LONG));
        let others = scene.warm(&runtime, &locker.lock("k"));
        let connections = || scene.proxy.open();
        // Alone, one is enough.
        runtime.block_on(async {
            for _ in 0..50 {
                pair(&locker.lock("k")).await;
            }
        });
        assert_eq!(connections(), others + 1, "{}", scene.name);
        drop(runtime);
        assert!(eventually(LONG, || connections() == others), "{}: {others}, {}", scene.name, connections());
        // A crowd is served by all of them and by the background thread, which has eight at most.
        let runtime = driven();
        scene.warm(&runtime, &locker.lock("k"));
        runtime.block_on(async {
            let mut crowd = JoinSet::new();
            for number in 0..32 {
                let lock = locker.lock(format!("k{number}"));
                crowd.spawn(async move {
                    for _ in 0..20 {
                        pair(&lock).await;
                    }
                });
            }
            while let Some(done) = crowd.join_next().await {
                done.unwrap();
            }
        });
        let of_others = 1 + 8 + 1;
        assert!(connections() <= of_others + scene.most, "{}: {}", scene.name, connections());
        drop(locker);
        assert!(eventually(LONG, || connections() == 0), "{}: with the last locker, all end", scene.name);
        drop(runtime);
    });
}

#[test]
fn a_call_whose_runtime_is_not_driven_goes_on_by_the_background_thread() {
    on_each(|scene| {
        let (runtime, lock) = (alone(), scene.near(LONG).lock("k"));
        scene.warm(&runtime, &lock);
        // An answer that is there before it is first looked for needs nobody to announce it.
        scene.proxy.delay(ms(20));
        runtime.block_on(async {
            // Nothing of the runtime moves while this blocks it.
            let begin = Instant::now();
            smol::block_on(pair(&lock));
            let took = running_since(begin);
            assert!(took < Duration::from_secs(4), "{}: {took:?}", scene.name);
            // That long, as it was asked on a connection of the runtime.
            assert!(begin.elapsed() > ms(300), "{}: {took:?}", scene.name);
        });
        assert!(eventually(LONG, || !lock.is_locked().unwrap()), "{}", scene.name);
    });
}

#[test]
fn a_lock_outlives_the_runtime_it_was_acquired_on() {
    on_each(|scene| {
        let (runtime, lock) = (alone(), scene.near(ms(1500)).lock("k"));
        scene.warm(&runtime, &lock);
        let guard = runtime.block_on(lock.acquire_async()).unwrap();
        drop(runtime);
        // Two ttls.
        std::thread::sleep(ms(3000));
        assert!(guard.is_held(), "{}", scene.name);
        smol::block_on(guard.release_async()).unwrap();
        assert!(!lock.is_locked().unwrap(), "{}", scene.name);
    });
}

#[test]
fn a_runtime_without_input_and_output_is_served_by_the_background_thread() {
    on_each(|scene| {
        let lock = scene.near(LONG).lock("k");
        let runtime = Builder::new_current_thread().build().unwrap();
        for _ in 0..5 {
            runtime.block_on(pair(&lock));
        }
    });
}

#[test]
fn a_call_may_block_on_its_own_runtime_in_place() {
    on_each(|scene| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lock = scene.near(LONG).lock("k");
        scene.warm(&runtime, &lock);
        let task = runtime.spawn(async move {
            for _ in 0..20 {
                block_in_place(|| Handle::current().block_on(pair(&lock)));
            }
        });
        runtime.block_on(task).unwrap();
    });
}
