//! Calls that are left in the middle, and those that go on elsewhere.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use lock::Error;
use tests::callers::{LONG, ms};

use crate::scene::{Scene, alone, driven, on_each, pair};

/// A way so long that most of what is left is left in the middle.
const WAY: Duration = ms(10);

/// When calls are left, some of them before and some after their end.
fn moments() -> impl Iterator<Item = Duration> {
    (0..24).map(|number| WAY / 4 * number)
}

fn is_had_by_others(scene: &Scene) {
    let guard = scene.far().lock("k").wait(LONG).acquire();
    guard.unwrap_or_else(|error| panic!("{}: {error}", scene.name)).release().unwrap();
}

#[test]
fn what_is_dropped_in_the_middle_is_given_back_and_its_connection_has_no_answer_for_anybody_else() {
    on_each(|scene| {
        let (runtime, lock) = (driven(), scene.near(LONG).lock("k").wait(LONG));
        scene.warm(&runtime, &lock);
        scene.proxy.delay(WAY);
        let mut last = 0;
        runtime.block_on(async {
            for moment in moments() {
                if let Ok(guard) = tokio::time::timeout(moment, lock.acquire_async()).await {
                    drop(tokio::time::timeout(moment / 2, guard.unwrap().release_async()).await);
                }
                let guard = lock.acquire_async().await;
                let guard = guard.unwrap_or_else(|error| panic!("{}, {moment:?}: {error}", scene.name));
                assert!(guard.fencing_token() > last, "{}, {moment:?}", scene.name);
                last = guard.fencing_token();
                let holder = lock.holder_async().await.unwrap().expect("it is held");
                assert_eq!(holder.fencing_token, Some(last), "{}, {moment:?}", scene.name);
                guard.release_async().await.unwrap();
            }
        });
        is_had_by_others(scene);
    });
}

#[test]
fn what_is_under_way_when_its_runtime_ends_leaves_nothing_held() {
    on_each(|scene| {
        let lock = scene.near(LONG).lock("k").wait(LONG);
        for moment in moments().step_by(3) {
            let runtime = driven();
            scene.proxy.delay(Duration::ZERO);
            scene.warm(&runtime, &lock);
            scene.proxy.delay(WAY);
            let left = lock.clone();
            drop(runtime.spawn(async move { pair(&left).await }));
            std::thread::sleep(moment);
            drop(runtime);
            is_had_by_others(scene);
        }
    });
}

#[test]
fn a_call_that_goes_on_on_another_runtime_is_answered_while_its_own_is_driven_and_also_if_it_ends() {
    on_each(|scene| {
        let lock = scene.near(LONG).lock("k").wait(LONG);
        for ends in [false, true] {
            let (first, second) = (driven(), alone());
            scene.proxy.delay(Duration::ZERO);
            scene.warm(&first, &lock);
            scene.proxy.delay(WAY);
            let mut moving = pin!(lock.acquire_async());
            {
                let _first = first.enter();
                assert!(moving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
            let first = if ends {
                drop(first);
                None
            } else {
                Some(first)
            };
            let guard = second.block_on(moving);
            let guard = guard.unwrap_or_else(|error: Error| panic!("{}, {ends}: {error}", scene.name));
            second.block_on(guard.release_async()).unwrap();
            drop(first);
            is_had_by_others(scene);
        }
    });
}
