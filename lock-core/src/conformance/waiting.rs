//! Who waits, for how long, and who is next.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use super::{
    Case, case,
    executor::Side,
    pulse::{self, running_since},
    test::{RETRY, Test},
};
use crate::{error::Result, guard::Guard};

pub(super) const CASES: &[Case] = &[
    case!("a waiter is woken by a release, far below `retry`", notifies, woken_by_release),
    case!("a waiter of the same client is woken by a release, far below `retry`", nothing, woken_in_process),
    case!("a waiter finds a release within `retry`", nothing, found_within_retry),
    case!("a waiter is woken by expiry though nobody announces it", nothing, woken_by_expiry),
    case!("a waiter is woken by a forced release", nothing, woken_by_force),
    case!("first come, first served within a process", nothing, first_come_first_served),
    case!("the wait is one budget, over lost races too", nothing, one_budget),
    case!("a lock that becomes free at the last moment is had", nothing, one_last_attempt),
];

/// How long after its release a lock is had by one who waits for it.
async fn hand_over(test: &Test, same_client: bool, retry: Duration) -> Duration {
    let ours = test.client();
    let theirs = if same_client { ours.clone() } else { test.client() };
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    let waiting = test.have_and_release(theirs.lock("k").retry(retry));
    // Long enough for the waiter to be waiting; if it is not, it has it all the sooner.
    test.sleep(Duration::from_millis(60)).await;
    let released = Instant::now();
    test.release(&guard).await.unwrap();
    waiting.await.saturating_duration_since(released)
}

async fn median_of_five(test: &Test, same_client: bool, retry: Duration) -> Duration {
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(hand_over(test, same_client, retry).await);
    }
    times.sort();
    times[2]
}

async fn woken_by_release(test: Test) {
    let retry = Duration::from_secs(10);
    let median = median_of_five(&test, false, retry).await;
    assert!(median < retry / 20, "{median:?}");
}

async fn woken_in_process(test: Test) {
    let retry = Duration::from_secs(10);
    let median = median_of_five(&test, true, retry).await;
    assert!(median < retry / 20, "{median:?}");
}

async fn found_within_retry(test: Test) {
    let begin = Instant::now();
    let took = hand_over(&test, false, RETRY).await.saturating_sub(pulse::stalled_since(begin));
    assert!(took <= test.late(), "{took:?}");
}

async fn woken_by_expiry(test: Test) {
    for same_client in [true, false] {
        let ours = test.client();
        let theirs = if same_client { ours.clone() } else { test.client() };
        let asked = Instant::now();
        let guard = test.acquire(&ours.lock("k").ttl(test.ttl()).renew(false)).await.unwrap();
        let granted = Instant::now();
        let next = test.acquire(&theirs.lock("k").retry(Duration::from_millis(200))).await.unwrap();
        let late = running_since(granted).saturating_sub(test.ttl());
        assert!(asked.elapsed() >= test.ttl());
        assert!(late <= test.late() + Duration::from_millis(200), "{late:?} late");
        assert!(!guard.is_held());
        test.release(&next).await.unwrap();
    }
}

async fn woken_by_force(test: Test) {
    let (holding, waits, forces) = (test.client(), test.client(), test.client());
    let guard = test.acquire(&holding.lock("k")).await.unwrap();
    let waiting = {
        let (test, lock) = (test.clone(), waits.lock("k"));
        test.clone().spawn(async move {
            let guard = test.acquire(&lock).await.unwrap();
            (Instant::now(), guard)
        })
    };
    test.sleep(RETRY).await;
    let begin = Instant::now();
    assert!(test.force_release(&forces.lock("k")).await.unwrap());
    let (had, successor) = waiting.await;
    let took = had.saturating_duration_since(begin).saturating_sub(pulse::stalled_since(begin));
    assert!(took <= test.late(), "{took:?}");
    assert!(successor.is_held() && successor.fencing_token() > guard.fencing_token());
}

type Waiter = Pin<Box<dyn Future<Output = Result<Guard>> + Send>>;

async fn first_come_first_served(test: Test) {
    match test.side() {
        Side::Blocking => test.undisturbed(Duration::from_millis(5), |_| threads_in_line(&test)).await,
        Side::Async => futures_in_line(&test).await,
    }
}

/// Futures stand in line from their first poll on.
async fn futures_in_line(test: &Test) {
    const WAITERS: usize = 20;
    let locker = test.client();
    let mut guard = Some(test.acquire(&locker.lock("k")).await.unwrap());
    let mut waiters: Vec<Option<Waiter>> = (0..WAITERS)
        .map(|_| {
            let lock = locker.lock("k");
            Some(Box::pin(async move { lock.acquire_async().await }) as Waiter)
        })
        .collect();
    let mut served = Vec::new();
    while served.len() < WAITERS {
        let (number, next) = poll_fn(|context| {
            for (number, slot) in waiters.iter_mut().enumerate() {
                let Some(waiter) = slot else { continue };
                if let Poll::Ready(next) = waiter.as_mut().poll(context) {
                    *slot = None;
                    return Poll::Ready((number, next));
                }
            }
            // All stand in line now: let the first of them have it.
            guard = None;
            Poll::Pending
        })
        .await;
        served.push(number);
        guard = Some(next.unwrap());
    }
    assert!(served.is_sorted(), "{served:?}");
}

/// Whether a thread waits already cannot be seen; the time between two is much longer than a call takes.
async fn threads_in_line(test: &Test) -> std::result::Result<(), String> {
    let lock = test.client().lock("k");
    let served = Arc::new(std::sync::Mutex::new(Vec::new()));
    let guard = test.acquire(&lock).await.unwrap();
    let mut parts = Vec::new();
    for number in 0..6 {
        let (inside, lock, served) = (test.clone(), lock.clone(), Arc::clone(&served));
        parts.push(test.spawn(async move {
            let guard = inside.acquire(&lock).await.unwrap();
            served.lock().unwrap().push(number);
            inside.release(&guard).await.unwrap();
        }));
        test.sleep(Duration::from_millis(30)).await;
    }
    test.release(&guard).await.unwrap();
    for part in parts {
        part.await;
    }
    let served = served.lock().unwrap();
    if served.is_sorted() { Ok(()) } else { Err(format!("{served:?}")) }
}

async fn one_budget(test: Test) {
    // Two of another client keep it from ever being free for long.
    let stop = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU32::new(0));
    let busy = test.client();
    let parts: Vec<_> = (0..3)
        .map(|_| {
            let (test, lock) = (test.clone(), busy.lock("k").retry(Duration::from_millis(1)));
            let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
            test.clone().spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let guard = test.acquire(&lock).await.unwrap();
                    test.sleep(Duration::from_millis(5)).await;
                    rounds.fetch_add(1, Ordering::SeqCst);
                    test.release(&guard).await.unwrap();
                }
            })
        })
        .collect();
    let wait = Duration::from_millis(300);
    let lock = test.client().lock("k").wait(wait);
    for _ in 0..3 {
        let begin = Instant::now();
        let result = test.acquire(&lock).await;
        let took = running_since(begin);
        assert!(took <= wait + Duration::from_millis(150), "{took:?}");
        if let Err(error) = result {
            assert!(error.is_locked(), "{error}");
        }
    }
    // It was not for want of others.
    while rounds.load(Ordering::SeqCst) < 5 {
        test.sleep(RETRY).await;
    }
    stop.store(true, Ordering::SeqCst);
    for part in parts {
        part.await;
    }
    test.expect_free(&busy.lock("k")).await;
}

async fn one_last_attempt(test: Test) {
    // Where the store announces nothing, the next look is far away: what is left is the one at the end of the wait.
    let ttl = test.ttl();
    let guard = test.acquire(&test.client().lock("k")).await.unwrap();
    let waiting = {
        let lock = test.client().lock("k").retry(Duration::from_secs(100)).wait(ttl);
        let test = test.clone();
        test.clone().spawn(async move { test.acquire(&lock).await.map(drop) })
    };
    test.sleep(ttl / 2).await;
    test.release(&guard).await.unwrap();
    waiting.await.expect("had at the last attempt");
}
