//! One at a time, whoever asks and however.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{Case, case, executor::Side, test::Test};
use crate::{error::Error, guard::Guard, locker::Locker};

pub(super) const CASES: &[Case] = &[
    case!("try while held is \"held\", not an error", nothing, try_while_held),
    case!("releasing an old guard never frees the successor", nothing, releasing_an_old_guard),
    case!("durations that cannot be are refused, never half honoured", nothing, bad_durations),
    case!("a wait of nothing is one attempt, and a huge one waits", nothing, extreme_waits),
    case!("keys that cannot be are refused by name", nothing, bad_keys),
    case!("100 tasks: a counter never reaches two, and all finish", nothing, a_hundred_tasks),
    case!("100 tasks of several clients exclude each other", nothing, tasks_of_several_clients),
    case!("names that differ at all are different locks", nothing, names_that_differ),
    case!("the longest names differ by their last character", nothing, longest_names),
    case!("a wait that timed out leaves nothing", nothing, a_timed_out_wait_leaves_nothing),
    case!("a failed second attempt does not disturb the first holder", nothing, a_failed_second_attempt),
    case!("sync and async callers exclude each other", nothing, sync_and_async_callers),
    case!("a timed-out call never ran its body", nothing, a_timed_out_call_never_ran),
    case!("a call inside of its own lock is told, not left to wait", nothing, a_nested_call_is_told),
    case!("modes that a backend cannot do are refused", nothing, unsupported_modes),
];

async fn try_while_held(test: Test) {
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    assert!(test.try_acquire(&lock).await.unwrap().is_none());
    let error = test.acquire(&lock.clone().blocking(false)).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert_eq!(error.key(), Some(guard.key()));
    assert!(error.is_retryable());
}

async fn releasing_an_old_guard(test: Test) {
    let lock = test.client().lock("k");
    let old = test.acquire(&lock).await.unwrap();
    test.release(&old).await.unwrap();
    let successor = test.acquire(&test.client().lock("k")).await.unwrap();
    test.release(&old).await.expect("releasing again is fine");
    drop(old);
    assert!(successor.is_held());
    assert!(test.try_acquire(&lock).await.unwrap().is_none());
    test.release(&successor).await.unwrap();
}

async fn bad_durations(test: Test) {
    let lock = test.client().lock("k");
    let wrong = [
        lock.clone().ttl(Duration::ZERO),
        lock.clone().ttl(Duration::from_millis(99)),
        lock.clone().ttl(Duration::MAX),
        lock.clone().retry(Duration::ZERO),
        lock.clone().retry(Duration::MAX),
    ];
    for lock in &wrong {
        let error = test.acquire(lock).await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
        assert!(error.to_string().contains("accepted"), "{error}");
        assert!(test.try_acquire(lock).await.is_err());
    }
    let can = &test.subject().capabilities;
    for ttl in [can.ttl_min, can.ttl_max] {
        let guard = test.acquire(&lock.clone().ttl(ttl.get()).wait(Duration::from_secs(5))).await.unwrap();
        assert!(guard.remaining() <= ttl.get());
        for wrong in [Duration::ZERO, Duration::MAX] {
            assert!(matches!(test.extend(&guard, wrong).await, Err(Error::Config { .. })));
        }
        // The shortest may be over already on a busy machine.
        let _ = test.release(&guard).await;
    }
    assert!(test.holder(&lock).await.unwrap().is_none());
}

async fn extreme_waits(test: Test) {
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock.clone().wait(Duration::ZERO)).await.expect("free at the one attempt");
    let error = test.acquire(&lock.clone().wait(Duration::ZERO)).await.unwrap_err();
    assert!(error.is_locked(), "{error}");
    let waiting = {
        let (test, lock) = (test.clone(), lock.clone().wait(Duration::MAX));
        test.clone().spawn(async move { test.acquire(&lock).await })
    };
    test.sleep(Duration::from_millis(50)).await;
    test.release(&guard).await.unwrap();
    drop(waiting.await.unwrap());
}

async fn bad_keys(test: Test) {
    let locker = test.client();
    for name in ["", &"x".repeat(1 << 20), "two\nlines", "nul\0", "tab\t", "\u{7f}", "\u{85}"] {
        let lock = locker.lock(name);
        for error in [
            test.acquire(&lock).await.unwrap_err(),
            test.try_acquire(&lock).await.unwrap_err(),
            test.holder(&lock).await.unwrap_err(),
            test.force_release(&lock).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
            assert!(!error.is_retryable() && error.to_string().len() < 1000);
        }
    }
    if test.subject().capabilities.lists {
        assert!(test.held(&locker).await.unwrap().is_empty());
    }
}

/// Counts those inside of a lock.
#[derive(Debug, Default)]
struct Room {
    inside: AtomicU32,
    visits: AtomicU32,
}

impl Room {
    async fn visit(&self, test: &Test, guard: &Guard) {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        if self.visits.fetch_add(1, Ordering::SeqCst).is_multiple_of(10) {
            test.sleep(Duration::from_millis(1)).await;
        }
        assert!(guard.is_held());
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn visits(test: &Test, clients: &[Locker], tasks: u32) {
    let room = Arc::new(Room::default());
    let parts: Vec<_> = clients
        .iter()
        .cycle()
        .take(tasks as usize)
        .map(|locker| {
            let (test, lock, room) = (test.clone(), locker.lock("k"), Arc::clone(&room));
            test.clone().spawn(async move {
                let guard = test.acquire(&lock).await.unwrap();
                room.visit(&test, &guard).await;
                test.release(&guard).await.unwrap();
            })
        })
        .collect();
    for part in parts {
        part.await;
    }
    assert_eq!(room.visits.load(Ordering::SeqCst), tasks);
    test.expect_free(&clients[0].lock("k")).await;
}

async fn a_hundred_tasks(test: Test) {
    visits(&test, &[test.client()], 100).await;
}

async fn tasks_of_several_clients(test: Test) {
    let mut settings = test.settings();
    settings.retry = Some(Duration::from_millis(5));
    let open = || test.subject().open(&settings).unwrap();
    visits(&test, &[open(), open(), open()], 99).await;
}

async fn names_that_differ(test: Test) {
    let locker = test.client();
    let long = "x".repeat(1000);
    let names = [
        "name".into(),
        "Name".into(),
        "NAME".into(),
        "name ".into(),
        " name".into(),
        "é".into(),
        "e\u{301}".into(),
        "a/b".into(),
        "a:b".into(),
        "a%2fb".into(),
        "a%2Fb".into(),
        "..".into(),
        ".".into(),
        "{a}".into(),
        "*".into(),
        "' or 1=1 --".into(),
        format!("{long}1"),
        format!("{long}2"),
    ];
    let mut guards = Vec::new();
    for name in &names {
        guards.push(
            test.try_acquire(&locker.lock(name)).await.unwrap().unwrap_or_else(|| panic!("{name} held")),
        );
    }
    let client = test.client();
    for (name, guard) in names.iter().zip(&guards) {
        let holder = test.holder(&client.lock(name)).await.unwrap().expect("held");
        assert_eq!(holder.owner, guard.owner(), "{name}");
    }
    for (name, guard) in names.iter().zip(&guards) {
        test.release(guard).await.unwrap();
        assert!(test.holder(&client.lock(name)).await.unwrap().is_none(), "{name}");
    }
}

async fn longest_names(test: Test) {
    let locker = test.client();
    let fill = "é".repeat((4095 - test.prefix().len()) / 2);
    let odd = "x".repeat(4095 - test.prefix().len() - fill.len());
    let names = [format!("{odd}{fill}1"), format!("{odd}{fill}2")];
    let first = test.acquire(&locker.lock(&names[0])).await.unwrap();
    let second = test.try_acquire(&locker.lock(&names[1])).await.unwrap().expect("another lock");
    assert_eq!((first.key().len(), second.key().len()), (4096, 4096));
    let holder = test.holder(&test.client().lock(&names[0])).await.unwrap().expect("held");
    assert_eq!((holder.key.as_str(), holder.owner), (first.key(), first.owner()));
}

async fn a_timed_out_wait_leaves_nothing(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    for locker in [&ours, &theirs] {
        let lock = locker.lock("k").wait(Duration::from_millis(80));
        assert!(test.acquire(&lock).await.unwrap_err().is_locked());
    }
    test.release(&guard).await.unwrap();
    test.expect_free(&ours.lock("k")).await;
    test.sleep(super::test::RETRY * 2).await;
    assert!(test.holder(&theirs.lock("k")).await.unwrap().is_none());
}

async fn a_failed_second_attempt(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    let before = test.holder(&ours.lock("k")).await.unwrap().expect("held");
    for locker in [&ours, &theirs] {
        assert!(test.try_acquire(&locker.lock("k")).await.unwrap().is_none());
        assert!(test.acquire(&locker.lock("k").wait(Duration::from_millis(20))).await.is_err());
    }
    let after = test.holder(&ours.lock("k")).await.unwrap().expect("still held");
    assert_eq!((before.owner, before.fencing_token), (after.owner, after.fencing_token));
    assert!(guard.is_held());
    test.release(&guard).await.unwrap();
}

async fn sync_and_async_callers(test: Test) {
    let room = Arc::new(Room::default());
    let locker = test.client();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (lock, room) = (locker.lock("k"), Arc::clone(&room));
            std::thread::spawn(move || {
                for _ in 0..10 {
                    let guard = lock.acquire().unwrap();
                    assert_eq!(room.inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                    std::thread::yield_now();
                    room.inside.fetch_sub(1, Ordering::SeqCst);
                    guard.release().unwrap();
                }
            })
        })
        .collect();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (test, lock, room) = (test.clone(), locker.lock("k"), Arc::clone(&room));
            test.clone().spawn(async move {
                for _ in 0..10 {
                    let guard = lock.acquire_async().await.unwrap();
                    room.visit(&test, &guard).await;
                    guard.release_async().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
}

async fn a_timed_out_call_never_ran(test: Test) {
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    let ran = AtomicBool::new(false);
    for bounded in [lock.clone().wait(Duration::from_millis(30)), lock.clone().blocking(false)] {
        let run = |_: &Guard| ran.store(true, Ordering::SeqCst);
        let result = match test.side() {
            Side::Blocking => bounded.with(run),
            Side::Async => bounded.with_async(async |guard| run(guard)).await,
        };
        assert!(result.unwrap_err().is_locked());
    }
    test.release(&guard).await.unwrap();
    test.expect_free(&lock).await;
    assert!(!ran.into_inner());
}

async fn a_nested_call_is_told(test: Test) {
    let locker = test.client();
    let lock = locker.lock("k");
    match test.side() {
        Side::Blocking => {
            let inner = lock.with(|_| (lock.acquire(), lock.try_acquire(), locker.lock("other").acquire()));
            let (waiting, trying, other) = inner.unwrap();
            assert!(matches!(waiting, Err(Error::WouldDeadlock { .. })), "{waiting:?}");
            assert!(trying.unwrap().is_none() && other.is_ok());
        }
        Side::Async => {
            let inner =
                lock.with_async(async |_| (lock.acquire_async().await, lock.try_acquire_async().await));
            let (waiting, trying) = inner.await.unwrap();
            assert!(matches!(waiting, Err(Error::WouldDeadlock { .. })), "{waiting:?}");
            assert!(trying.unwrap().is_none());
        }
    }
    test.expect_free(&lock).await;
}

async fn unsupported_modes(test: Test) {
    let can = test.subject().capabilities.clone();
    let lock = test.client().lock("k");
    for (able, lock) in [(can.shared, lock.clone().shared()), (can.permits, lock.clone().permits(2))] {
        let result = test.try_acquire(&lock).await;
        assert!(able || matches!(result, Err(Error::Unsupported { .. })), "{result:?}");
    }
    test.expect_free(&lock).await;
}
