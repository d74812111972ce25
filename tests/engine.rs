//! What the engine makes of a store that fails: leases in memory, with failures to order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lock_core::{
    Error, Guard, Lock, Locker, Owner, Settings,
    conformance::{
        Effect, Leases, Operation,
        pulse::{self, running_since},
    },
};
use tests::{
    history::{History, now},
    report,
};

const TTL: Duration = Duration::from_millis(600);
/// How late a loss may be told.
const TELLING: Duration = Duration::from_millis(50);
/// How much longer than the time to wait the answer to the last attempt may take.
const LAST_ANSWER: Duration = Duration::from_secs(1);

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A client of the store, and its lock "k".
fn lock_of(client: &Leases) -> Lock {
    let settings = Settings { ttl: Some(TTL), retry: Some(ms(20)), ..Settings::default() };
    Locker::with_backend_and(client.clone(), &settings).unwrap().lock("k")
}

/// What happens to the first requests of a kind; all others are executed and answered.
fn first(
    what: Operation,
    effects: impl IntoIterator<Item = Effect> + Send + 'static,
) -> impl FnMut(Operation) -> Effect + Send {
    let mut effects = effects.into_iter().collect::<Vec<_>>().into_iter();
    move |operation| if operation == what { effects.next().unwrap_or(Effect::None) } else { Effect::None }
}

/// What happens to all requests of a kind.
fn all(what: Operation, effect: Effect) -> impl FnMut(Operation) -> Effect + Send {
    move |operation| if operation == what { effect } else { Effect::None }
}

/// Waits for the loss of a guard; `None` if it is not told in time.
fn lost_within(guard: &Guard, limit: Duration) -> Option<Duration> {
    let begin = Instant::now();
    let lost = smol::block_on(smol::future::or(
        async {
            guard.lost().await;
            true
        },
        async {
            smol::Timer::after(limit).await;
            false
        },
    ));
    lost.then(|| running_since(begin))
}

/// Another client gets the lock within some time, and nobody renews it afterwards.
fn assert_free(store: &Leases, within: Duration) {
    let lock = lock_of(&store.client());
    let begin = Instant::now();
    let guard = lock.clone().wait(within + ms(2000)).acquire().expect("free");
    let took = running_since(begin);
    assert!(took <= within + ms(150), "free after {took:?}");
    guard.release().unwrap();
    // A request that was late has it from when it is executed until it is given back, which is at once; not given back, it
    // would have it for a ttl.
    let (begin, mut late) = (Instant::now(), None);
    while begin.elapsed() < TTL / 2 {
        let seen = lock.holder().unwrap().map(|_| *late.get_or_insert_with(Instant::now));
        assert!(seen.is_none_or(|seen| running_since(seen) < TTL / 4), "taken again by nobody");
        thread::sleep(ms(20));
    }
    assert!(lock.holder().unwrap().is_none(), "taken again by nobody");
}

#[test]
fn a_renewal_that_fails_is_tried_again() {
    pulse::start();
    let (store, begin) = (Leases::new(), Instant::now());
    for effects in
        [vec![Effect::FailBefore], vec![Effect::FailAfter; 2], vec![Effect::LostAnswer], vec![Effect::Hang]]
    {
        let client = store.client();
        client.order(first(Operation::Renew, effects.clone()));
        let guard = lock_of(&client).acquire().unwrap();
        let lost = lost_within(&guard, TTL * 2);
        assert!(
            lost.is_none() || pulse::stalled_since(begin) > TTL / 6,
            "lost after {lost:?} by {effects:?}"
        );
        drop(guard);
    }
    assert_free(&store, Duration::ZERO);
}

#[test]
fn a_renewal_that_hangs_or_fails_for_ever_is_a_loss_told_by_the_deadline() {
    for effect in [Effect::Hang, Effect::LostAnswer, Effect::FailBefore, Effect::FailAfter] {
        let store = Leases::new();
        let client = store.client();
        let lock = lock_of(&client);
        let guard = lock.acquire().unwrap();
        client.order(all(Operation::Renew, effect));
        let begin = Instant::now();
        while guard.is_held() && begin.elapsed() < TTL * 4 {
            // What is executed without an answer prolongs nothing.
            let left = guard.remaining();
            let late = lost_within(&guard, left + TELLING + ms(20) + pulse::stalled_since(begin));
            assert!(late.is_some() || guard.is_held(), "not told by the deadline: {effect:?}");
        }
        assert!(!guard.is_held());
        assert!(running_since(begin) <= TTL + TELLING, "{effect:?}: {:?}", begin.elapsed());
        assert!(guard.check().unwrap_err().is_lost() && guard.release().unwrap_err().is_lost());
        client.order(|_| Effect::None);
        drop(guard);
        // A renewal without an answer may have been executed: then the lease lasts a ttl, or is given back sooner.
        assert_free(&store, TTL);
    }
}

#[test]
fn a_renewal_that_panics_does_not_keep_the_loss_from_being_told() {
    let store = Leases::new();
    let client = store.client();
    let guard = lock_of(&client).acquire().unwrap();
    client.order(all(Operation::Renew, Effect::Panic));
    let told = lost_within(&guard, TTL * 2).expect("told");
    assert!(told <= TTL + TELLING, "{told:?}");
    assert!(!guard.is_held());
    drop(guard);
    assert_free(&store, TTL);
}

#[test]
fn one_panic_of_a_renewal_is_one_failed_renewal() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Renew, [Effect::Panic]));
    let guard = lock_of(&client).acquire().unwrap();
    let begin = Instant::now();
    let lost = lost_within(&guard, TTL * 2);
    let kept = lost.is_none() && guard.is_held();
    assert!(kept || pulse::stalled_since(begin) > TTL / 6, "lost after {lost:?}");
}

#[test]
fn an_acquire_whose_answer_failed_is_asked_again_and_granted_the_same_lease() {
    for effect in [Effect::FailBefore, Effect::FailAfter] {
        let store = Leases::new();
        let client = store.client();
        client.order(first(Operation::Acquire, [effect]));
        let guard = lock_of(&client).acquire().unwrap();
        assert!(guard.is_held());
        let holder = lock_of(&store.client()).holder().unwrap().unwrap();
        assert_eq!((holder.owner, holder.fencing_token), (guard.owner(), Some(guard.fencing_token())));
        guard.release().unwrap();
        assert_free(&store, Duration::ZERO);
    }
}

#[test]
fn a_lost_answer_to_an_acquire_locks_nobody_out() {
    for effect in [Effect::LostAnswer, Effect::SlowAnswer(TTL), Effect::Panic] {
        let store = Leases::new();
        let client = store.client();
        client.order(first(Operation::Acquire, [effect]));
        let lock = lock_of(&client);
        let error = lock.acquire().unwrap_err();
        assert!(matches!(error, Error::Backend { .. }), "{effect:?}: {error}");
        assert_eq!(error.key(), Some("lock:k"));
        let begin = Instant::now();
        // By the same client, at once.
        let guard = lock.clone().wait(TTL * 2).acquire().unwrap();
        assert!(running_since(begin) < TTL / 2, "{effect:?}: locked out by itself for {:?}", begin.elapsed());
        guard.release().unwrap();
        assert_free(&store, Duration::ZERO);
    }
}

/// Nobody else gets the lock by the first release that follows a doubtful request.
fn assert_alone(store: &Leases, guard: &Guard) {
    let (begin, third) = (Instant::now(), lock_of(&store.client()));
    while begin.elapsed() < Duration::from_millis(1500) {
        assert!(third.try_acquire().unwrap().is_none(), "had by two after {:?}", begin.elapsed());
        assert!(guard.is_held());
        thread::sleep(ms(5));
    }
}

#[test]
fn a_doubtful_lease_that_was_given_away_is_not_released_under_its_adopter() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Acquire, [Effect::FailAfter]));
    let owner = lock_of(&client).acquire().unwrap().into_owner();
    let adopted = lock_of(&store.client()).adopt(owner).unwrap();
    assert_alone(&store, &adopted);
}

#[test]
fn who_tries_again_under_the_same_owner_keeps_the_lock() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Acquire, [Effect::LostAnswer]));
    let lock = lock_of(&client).owner(Owner::random().unwrap());
    lock.acquire().unwrap_err();
    let guard = lock.acquire().unwrap();
    assert_alone(&store, &guard);
}

#[test]
fn an_answer_that_took_as_long_as_the_lease_is_not_believed() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Acquire, [Effect::SlowAnswer(TTL * 2)]));
    let lock = lock_of(&client);
    match lock.acquire() {
        Ok(guard) => assert!(guard.is_held() && guard.remaining() > TTL / 2),
        Err(error) => assert!(matches!(error, Error::Backend { .. }), "{error}"),
    }
    assert_free(&store, TTL);
}

#[test]
fn a_lost_answer_to_a_release_is_no_loss_of_the_lock() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Release, [Effect::FailAfter]));
    let lock = lock_of(&client);
    let guard = lock.acquire().unwrap();
    // It was given back by the first try, of which the answer got lost; the second finds nothing.
    guard.release().unwrap();
    assert_free(&store, Duration::ZERO);
}

#[test]
fn a_release_that_fails_is_tried_again_and_then_told() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Release, [Effect::FailBefore]));
    let lock = lock_of(&client);
    lock.acquire().unwrap().release().unwrap();
    assert_free(&store, Duration::ZERO);
    client.order(all(Operation::Release, Effect::FailBefore));
    let guard = lock.acquire().unwrap();
    assert!(matches!(guard.release(), Err(Error::Backend { .. })));
    assert!(!guard.is_held());
    drop(guard);
    // It ends by its ttl, as nobody renews it.
    assert_free(&store, TTL);
}

#[test]
fn a_release_that_panics_does_not_stop_the_next_in_line() {
    let store = Leases::new();
    let client = store.client();
    client.order(first(Operation::Release, [Effect::Panic]));
    let lock = lock_of(&client);
    let guard = lock.acquire().unwrap();
    let next = {
        let lock = lock.clone();
        thread::spawn(move || lock.acquire().map(drop))
    };
    assert!(guard.release().is_err());
    next.join().unwrap().unwrap();
    drop(guard);
    assert_free(&store, Duration::ZERO);
}

#[test]
fn a_watch_that_fails_or_panics_is_an_error_and_leaves_nothing() {
    let store = Leases::new().notifying();
    let held = lock_of(&store.client()).acquire().unwrap();
    for effect in [Effect::FailBefore, Effect::Panic] {
        let client = store.client();
        client.order(all(Operation::Watch, effect));
        let error = lock_of(&client).wait(TTL).acquire().unwrap_err();
        assert!(matches!(error, Error::Backend { .. } | Error::Timeout { .. }), "{error}");
    }
    held.release().unwrap();
    assert_free(&store, Duration::ZERO);
}

#[test]
fn a_bounded_wait_ends_in_time_though_the_store_hangs() {
    let store = Leases::new().notifying();
    let _held = lock_of(&store.client()).ttl(Duration::from_secs(30)).acquire().unwrap();
    for what in [Operation::Acquire, Operation::Watch] {
        for effect in [Effect::Hang, Effect::LostAnswer] {
            let client = store.client();
            client.order(all(what, effect));
            let lock = lock_of(&client).ttl(Duration::from_secs(30)).wait(ms(300));
            let begin = Instant::now();
            let error = lock.acquire().unwrap_err();
            let took = running_since(begin);
            assert!(took <= ms(300) + LAST_ANSWER + ms(150), "{what:?} {effect:?}: {took:?}");
            let heard = what == Operation::Watch && error.is_locked();
            assert!(
                heard || matches!(error, Error::Backend { .. }) && error.is_retryable(),
                "{what:?}: {error}"
            );
            let begin = Instant::now();
            assert!(smol::block_on(lock.acquire_async()).is_err());
            let took = running_since(begin);
            // The turn of the first may have to wait for its clean-up; the wait is bounded all the same.
            assert!(took <= ms(300) + LAST_ANSWER + ms(150), "async {what:?} {effect:?}: {took:?}");
        }
    }
}

#[test]
fn a_black_hole_longer_than_the_ttl_is_a_loss_and_leaves_nothing() {
    for effect in [Effect::Hang, Effect::LostAnswer] {
        let store = Leases::new();
        let client = store.client();
        let lock = lock_of(&client);
        let guard = lock.acquire().unwrap();
        let dark = Arc::new(AtomicBool::new(true));
        let hole = Arc::clone(&dark);
        client.order(move |_| if hole.load(Ordering::SeqCst) { effect } else { Effect::None });
        let told = lost_within(&guard, TTL * 2).expect("told");
        assert!(told <= TTL + TELLING, "{told:?}");
        thread::sleep(TTL);
        dark.store(false, Ordering::SeqCst);
        let successor = lock.clone().wait(TTL * 2).acquire().expect("had again after the hole");
        assert!(successor.fencing_token() > guard.fencing_token() && successor.is_held());
        drop(guard);
        assert!(successor.is_held());
        successor.release().unwrap();
        assert_free(&store, Duration::ZERO);
    }
}

#[test]
fn a_store_that_forgets_everything_is_a_loss_told_by_the_next_renewal() {
    let store = Leases::new();
    let guard = lock_of(&store.client()).acquire().unwrap();
    store.restart();
    let told = lost_within(&guard, TTL * 2).expect("told");
    assert!(told <= TTL / 3 + TELLING, "{told:?}");
    let successor = lock_of(&store.client()).acquire().unwrap();
    assert!(successor.fencing_token() > guard.fencing_token());
    assert!(guard.release().unwrap_err().is_lost() && successor.is_held());
}

#[test]
fn an_acquire_that_is_dropped_while_its_request_is_under_way_is_given_back() {
    for effect in [Effect::Delay(ms(100)), Effect::SlowAnswer(ms(100)), Effect::LostAnswer] {
        let store = Leases::new();
        let client = store.client();
        client.order(first(Operation::Acquire, [effect]));
        let lock = lock_of(&client);
        smol::block_on(smol::future::or(async { drop(lock.acquire_async().await) }, async {
            smol::Timer::after(ms(20)).await;
        }));
        assert_free(&store, TTL);
    }
}

#[test]
fn many_waiters_of_a_process_ask_as_often_as_one() {
    let count = |waiters: u32| {
        let store = Leases::new();
        let held = lock_of(&store.client()).acquire().unwrap();
        let lock = lock_of(&store.client()).retry(ms(50)).wait(ms(1000));
        let before = store.executed();
        let threads: Vec<_> = (0..waiters)
            .map(|_| {
                let lock = lock.clone();
                thread::spawn(move || lock.acquire().unwrap_err())
            })
            .collect();
        threads.into_iter().for_each(|thread| assert!(thread.join().unwrap().is_locked()));
        drop(held);
        store.executed() - before
    };
    let (one, many) = (count(1), count(50));
    // Each that gives up is followed by one more with its last attempt; retries would make it 50 times as many.
    assert!(many <= one * 2 + 60, "one waiter: {one} requests, fifty: {many}");
}

#[test]
fn listing_thousands_of_files_does_not_hold_up_renewals() {
    let directory = tests::scratch::Scratch::new("many");
    let files = Locker::open(&directory.url()).unwrap();
    for number in 0..10_000 {
        drop(files.lock(format!("{number}")).acquire().unwrap());
    }
    let mut worst = Duration::ZERO;
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    let listing = thread::spawn(move || {
        for _ in 0..3 {
            assert_eq!(files.held().unwrap(), []);
        }
        flag.store(true, Ordering::SeqCst);
    });
    let lock = lock_of(&Leases::new());
    while !ended.load(Ordering::SeqCst) {
        let begin = Instant::now();
        assert!(!lock.is_locked().unwrap());
        worst = worst.max(running_since(begin));
    }
    listing.join().unwrap();
    assert!(worst < ms(150), "{worst:?}");
}

/// A number below `end`, from a generator that a test can start anew.
fn random(state: &AtomicU64, end: u64) -> u64 {
    let number = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (number ^ (number >> 31)) % end
}

/// One request in five meets a failure.
fn chaos(state: Arc<AtomicU64>) -> impl FnMut(Operation) -> Effect + Send {
    move |_| match random(&state, 50) {
        0 => Effect::FailBefore,
        1 => Effect::FailAfter,
        2 => Effect::LostAnswer,
        3 => Effect::Hang,
        4 | 5 => Effect::Delay(ms(random(&state, 300))),
        6 | 7 => Effect::SlowAnswer(ms(random(&state, 300))),
        8 => Effect::Delay(ms(random(&state, 20))),
        _ => Effect::None,
    }
}

#[test]
fn under_random_failures_nobody_holds_twice_and_tokens_increase() {
    let store = Leases::new().notifying();
    let seed = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap_or(1);
    let state = Arc::new(AtomicU64::new(seed));
    let history = Arc::new(Mutex::new(String::new()));
    let granted = Arc::new(AtomicU32::new(0));
    let begin = Instant::now();
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let client = store.client();
            client.order(chaos(Arc::clone(&state)));
            let (history, state, granted) = (Arc::clone(&history), Arc::clone(&state), Arc::clone(&granted));
            thread::spawn(move || {
                let lock = lock_of(&client).ttl(ms(200)).wait(ms(500));
                while begin.elapsed() < Duration::from_secs(8) {
                    // Whatever fails is tried again.
                    let Ok(guard) = lock.acquire() else { continue };
                    granted.fetch_add(1, Ordering::SeqCst);
                    let (from, mut to) = (now(), 0);
                    let until = Instant::now() + ms(random(&state, 100));
                    loop {
                        let moment = now();
                        if !guard.is_held() {
                            break;
                        }
                        to = moment;
                        if Instant::now() >= until {
                            break;
                        }
                        thread::sleep(ms(2));
                    }
                    if to >= from {
                        let token = guard.fencing_token();
                        let lines = format!("A {token} {number} {from} {to}\nR {token} {number} {to} 0\n");
                        history.lock().unwrap().push_str(&lines);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let history = History::parse(&history.lock().unwrap());
    report(&format!("{} holds, {} double holds, seed {seed}", history.holds.len(), history.double_holds()));
    assert!(history.holds.len() > 50, "{} of {} grants", history.holds.len(), granted.load(Ordering::SeqCst));
    history.assert_right();
    // What hung on the way is given up after 5 s at the latest.
    let lock = lock_of(&store.client());
    drop(lock.wait(Duration::from_secs(10)).acquire().unwrap());
    assert_free(&store, TTL);
}

#[test]
fn a_thousand_acquires_dropped_under_random_failures_leave_nothing() {
    let store = Leases::new();
    let state = Arc::new(AtomicU64::new(7));
    let threads: Vec<_> = (0..10)
        .map(|_| {
            let client = store.client();
            client.order(chaos(Arc::clone(&state)));
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let lock = lock_of(&client).ttl(ms(200));
                for _ in 0..100 {
                    smol::block_on(smol::future::or(async { drop(lock.acquire_async().await) }, async {
                        smol::Timer::after(Duration::from_micros(random(&state, 8000))).await;
                    }));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let lock = lock_of(&store.client());
    drop(lock.wait(Duration::from_secs(10)).acquire().unwrap());
    let begin = Instant::now();
    // Late requests may still take it, for a ttl at most; then it is free for good.
    while begin.elapsed() < ms(2000) {
        thread::sleep(ms(20));
    }
    assert_free(&store, Duration::ZERO);
}
