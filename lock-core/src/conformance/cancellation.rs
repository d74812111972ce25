//! What is given up half-way, and ends that nobody planned, leave nothing behind.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Case, case,
    executor::Side,
    test::{RETRY, Test, poll_once},
};
use crate::locker::Locker;

pub(super) const CASES: &[Case] = &[
    case!("1,000 acquire futures dropped at random leave nothing", nothing, acquires_dropped, only_async),
    case!("waiters that go away at random lose nobody's turn", nothing, waiters_go_away, only_async),
    case!("an acquire that was never polled leaves nothing", nothing, never_polled, only_async),
    case!("a release future that is dropped still releases", nothing, a_release_dropped, only_async),
    case!("a panic in the body releases", nothing, a_panic_releases),
    case!("a guard is dropped with no runtime", nothing, dropped_with_no_runtime, only_async),
    case!("a guard outlives its runtime", nothing, outlives_its_runtime, only_async),
    case!("two runtimes, one locker", nothing, two_runtimes, only_async),
];

/// A number below `end`, as good as random for the purpose.
fn random(end: u32) -> u32 {
    getrandom::u32().unwrap_or_default() % end
}

async fn drop_at_random(test: &Test, locker: &Locker, times: u32, patience: u32) -> u32 {
    let mut granted = 0;
    for time in 0..times {
        let lock = locker.lock(["a", "b"][random(2) as usize]).ttl(test.ttl());
        let acquiring = async {
            let guard = lock.acquire_async().await.unwrap();
            assert!(guard.is_held());
        };
        if time % 2 == 0 {
            let mut acquiring = pin!(acquiring);
            for _ in 0..random(6) {
                if poll_once(acquiring.as_mut()).is_some() {
                    granted += 1;
                    break;
                }
                test.sleep(Duration::from_micros(random(300).into())).await;
            }
        } else {
            let time = Duration::from_micros(random(patience).into());
            granted += u32::from(test.within(time, acquiring).await.is_some());
        }
    }
    granted
}

async fn acquires_dropped(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    // Long enough for some of them, on a store that is busy with other tests as well.
    let begin = Instant::now();
    test.expect_free(&ours.lock("a")).await;
    let patience = u32::try_from(20 * begin.elapsed().as_micros()).unwrap().max(6000);
    let parts: Vec<_> = (0..10)
        .map(|number| {
            let (test, locker) = (test.clone(), if number % 2 == 0 { ours.clone() } else { theirs.clone() });
            test.clone().spawn(async move { drop_at_random(&test, &locker, 100, patience).await })
        })
        .collect();
    let mut granted = 0;
    for part in parts {
        granted += part.await;
    }
    assert!(granted > 0, "not one of 1,000 was let through");
    // The turns of those who were dropped last until all of theirs is given back.
    for (client, key) in [(&ours, "b"), (&theirs, "a")] {
        test.expect_free(&client.lock(key)).await;
    }
    nothing_is_left(&test, [&ours.lock("a"), &theirs.lock("b")]).await;
}

/// The keys are free, and stay so: no renewal is alive, and no late request took them.
async fn nothing_is_left(test: &Test, locks: [&crate::Lock; 2]) {
    for lock in locks {
        test.expect_free(lock).await;
    }
    let begin = Instant::now();
    while begin.elapsed() < test.ttl() {
        for lock in locks {
            assert!(test.holder(lock).await.unwrap().is_none(), "held again by nobody");
        }
        test.sleep(RETRY).await;
    }
}

async fn waiters_go_away(test: Test) {
    let locker = test.client();
    let served = Arc::new(AtomicU32::new(0));
    let guard = test.acquire(&locker.lock("k")).await.unwrap();
    let parts: Vec<_> = (0..60)
        .map(|number| {
            let (test, lock, served) = (test.clone(), locker.lock("k"), Arc::clone(&served));
            test.clone().spawn(async move {
                let visit = async {
                    let guard = lock.acquire_async().await.unwrap();
                    test.release(&guard).await.unwrap();
                };
                if number % 2 == 0 {
                    visit.await;
                    served.fetch_add(1, Ordering::SeqCst);
                } else {
                    let time = Duration::from_micros(random(60_000).into());
                    test.within(time, visit).await;
                }
            })
        })
        .collect();
    test.sleep(Duration::from_millis(30)).await;
    test.release(&guard).await.unwrap();
    for part in parts {
        part.await;
    }
    assert_eq!(served.load(Ordering::SeqCst), 30);
    test.expect_free(&test.client().lock("k")).await;
}

async fn never_polled(test: Test) {
    let lock = test.client().lock("k");
    drop(lock.acquire_async());
    assert!(test.holder(&lock).await.unwrap().is_none());
    assert!(test.try_acquire(&lock).await.unwrap().is_some());
}

async fn a_release_dropped(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    for polls in [0, 1, 2] {
        let guard = test.acquire(&ours.lock("k")).await.unwrap();
        {
            let mut releasing = pin!(guard.release_async());
            for _ in 0..polls {
                if poll_once(releasing.as_mut()).is_some() {
                    break;
                }
            }
        }
        if polls > 0 {
            assert!(!guard.is_held());
            test.expect_free(&theirs.lock("k")).await;
        }
        drop(guard);
        test.expect_free(&theirs.lock("k")).await;
    }
}

async fn a_panic_releases(test: Test) {
    let lock = test.client().lock("k");
    match test.side() {
        Side::Blocking => {
            let body = || lock.with(|_| std::panic::resume_unwind(Box::new("on purpose")));
            assert!(catch_unwind(AssertUnwindSafe(body)).map(|result: crate::Result<()>| result).is_err());
        }
        Side::Async => {
            let mut call =
                pin!(lock.with_async(async |_| -> () { std::panic::resume_unwind(Box::new("on purpose")) }));
            let ended = std::future::poll_fn(|context| {
                match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
                    Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
                    Ok(_) => std::task::Poll::Ready(false),
                    Err(_) => std::task::Poll::Ready(true),
                }
            });
            assert!(ended.await);
            // The call that panicked is still there, with what it has not dropped yet.
        }
    }
    test.expect_free(&test.client().lock("k")).await;
}

async fn dropped_with_no_runtime(test: Test) {
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    thread::spawn(move || drop(guard)).join().unwrap();
    test.expect_free(&test.client().lock("k")).await;
}

/// With all that a backend which works on its caller's runtime may need.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Other runtimes must not be run, or dropped, in a task: in a thread of their own.
async fn in_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, result) = tokio::sync::oneshot::channel();
    thread::spawn(move || drop(answer.send(act())));
    result.await.expect("the thread did not panic")
}

async fn outlives_its_runtime(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let acquired = lock.clone();
    let guard = in_thread(move || runtime().block_on(acquired.acquire_async()).unwrap()).await;
    test.undisturbed(test.ttl() / 3, async |round| {
        if round > 0 {
            return Ok(());
        }
        test.sleep(test.ttl() * 3 / 2).await;
        guard.check().map_err(|error| format!("not renewed without its runtime: {error}"))
    })
    .await;
    drop(guard);
    test.expect_free(&test.client().lock("k")).await;
}

async fn two_runtimes(test: Test) {
    let locker = test.client();
    let inside = Arc::new(AtomicU32::new(0));
    let runs: Vec<_> = (0..2)
        .map(|_| {
            let (locker, inside) = (locker.clone(), Arc::clone(&inside));
            in_thread(move || {
                runtime().block_on(async {
                    for _ in 0..50 {
                        let guard = locker.lock("k").acquire_async().await.unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        tokio::task::yield_now().await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(guard);
                    }
                });
            })
        })
        .map(|run| test.spawn(run))
        .collect();
    for run in runs {
        run.await;
    }
    test.expect_free(&test.client().lock("k")).await;
}
