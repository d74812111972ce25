//! What the original promises.

use std::time::{Duration, Instant};

use super::{Case, case, pulse::running_since, test::Test};
use crate::error::Error;

pub(super) const CASES: &[Case] = &[
    case!("prefix and name make the key", nothing, prefix_and_name_make_the_key),
    case!("a held lock is refused to others", nothing, a_held_lock_is_refused),
    case!("other keys are independent", nothing, other_keys_are_independent),
    case!("a released lock is acquired again", nothing, acquired_again_after_release),
    case!("a release by somebody else changes nothing and says so", nothing, release_by_somebody_else),
    case!(
        "the lease ends after its ttl: not before, and at most a retry interval later",
        nothing,
        ends_after_ttl
    ),
    case!("a bounded wait ends in time, without the lock", nothing, a_bounded_wait_ends_in_time),
    case!("the owner's token is what is stored", nothing, the_owner_is_stored),
    case!("`with` holds during its body and frees after", nothing, with_holds_during),
    case!("owned by this guard, not by that one", nothing, owned_by_this_guard),
    case!("a lock is released from another thread", nothing, released_from_another_thread),
    case!("the holders under a prefix are listed", lists, holders_are_listed),
    case!("the store can be reached", nothing, the_store_can_be_reached),
];

async fn prefix_and_name_make_the_key(test: Test) {
    let guard = test.acquire(&test.client().lock("name")).await.unwrap();
    assert_eq!(guard.key(), format!("{}name", test.prefix()));
}

async fn a_held_lock_is_refused(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    for locker in [&ours, &theirs] {
        assert!(test.try_acquire(&locker.lock("k")).await.unwrap().is_none());
    }
    assert!(guard.is_held());
}

async fn other_keys_are_independent(test: Test) {
    let locker = test.client();
    let guards = [
        test.acquire(&locker.lock("a")).await.unwrap(),
        test.acquire(&locker.lock("b")).await.unwrap(),
        test.acquire(&test.client().lock("c")).await.unwrap(),
    ];
    assert!(guards.iter().all(|guard| guard.check().is_ok()));
    test.release(&guards[0]).await.unwrap();
    assert!(test.try_acquire(&locker.lock("b")).await.unwrap().is_none());
}

async fn acquired_again_after_release(test: Test) {
    let lock = test.client().lock("k");
    for client in [lock.clone(), test.client().lock("k"), lock] {
        let guard = test.try_acquire(&client).await.unwrap().expect("free");
        test.release(&guard).await.unwrap();
        assert!(test.holder(&client).await.unwrap().is_none());
        assert!(!guard.is_held());
    }
}

async fn release_by_somebody_else(test: Test) {
    let lock = test.client().lock("k");
    let stale = test.acquire(&lock.clone().ttl(test.ttl()).renew(false)).await.unwrap();
    let theirs = test.client().lock("k");
    let successor = test.acquire(&theirs).await.unwrap();
    let error = test.release(&stale).await.unwrap_err();
    assert!(error.is_lost(), "{error}");
    drop(stale);
    assert!(successor.is_held());
    let holder = test.holder(&theirs).await.unwrap().expect("still held");
    assert_eq!(holder.owner, successor.owner());
    test.release(&successor).await.unwrap();
}

async fn ends_after_ttl(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let asked = Instant::now();
    let guard = test.acquire(&ours.lock("k").ttl(test.ttl()).renew(false)).await.unwrap();
    let granted = Instant::now();
    let next = test.acquire(&theirs.lock("k")).await.unwrap();
    assert!(asked.elapsed() >= test.ttl(), "after {:?}", asked.elapsed());
    let late = running_since(granted).saturating_sub(test.ttl());
    assert!(late <= test.late(), "{late:?} late");
    assert!(!guard.is_held() && next.is_held());
}

async fn a_bounded_wait_ends_in_time(test: Test) {
    let wait = Duration::from_millis(300);
    let ours = test.client();
    let guard = test.acquire(&ours.lock("k")).await.unwrap();
    for locker in [&ours, &test.client()] {
        let begin = Instant::now();
        let error = test.acquire(&locker.lock("k").wait(wait)).await.unwrap_err();
        let (all, running) = (begin.elapsed(), running_since(begin));
        assert!(matches!(error, Error::Timeout { waited, .. } if waited == wait), "{error}");
        assert_eq!(error.key(), Some(guard.key()));
        assert!(all >= wait && running < wait + Duration::from_millis(150), "{all:?}");
    }
    assert!(guard.is_held());
}

async fn the_owner_is_stored(test: Test) {
    let lock = test.client().lock("k");
    assert!(test.holder(&lock).await.unwrap().is_none());
    let guard = test.acquire(&lock).await.unwrap();
    let holder = test.holder(&test.client().lock("k")).await.unwrap().expect("held");
    assert_eq!(holder.owner, guard.owner());
    assert_eq!(holder.key.as_str(), guard.key());
    assert_eq!(holder.fencing_token, Some(guard.fencing_token()));
    test.release(&guard).await.unwrap();
    let chosen: crate::Owner = "a worker of ours, 7".parse().unwrap();
    let guard = test.acquire(&lock.clone().owner(chosen.clone())).await.unwrap();
    assert_eq!(guard.owner(), chosen);
    assert_eq!(test.holder(&lock).await.unwrap().map(|holder| holder.owner), Some(chosen));
}

async fn with_holds_during(test: Test) {
    let lock = test.client().lock("k");
    let other = test.client().lock("k");
    let held = match test.side() {
        super::Side::Blocking => lock.with(|guard| guard.is_held() && other.is_locked().unwrap()),
        super::Side::Async => {
            lock.with_async(async |guard| guard.is_held() && other.is_locked_async().await.unwrap()).await
        }
    };
    assert!(held.unwrap());
    assert!(test.holder(&other).await.unwrap().is_none());
}

async fn owned_by_this_guard(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let first = test.acquire(&lock.clone().renew(false)).await.unwrap();
    let second = test.acquire(&lock).await.unwrap();
    assert!(!first.is_held() && second.is_held());
    assert!(first.check().unwrap_err().is_lost());
    assert_ne!(first.owner(), second.owner());
}

async fn released_from_another_thread(test: Test) {
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(guard.release()));
    told.recv().unwrap().unwrap();
    let guard = test.try_acquire(&lock).await.unwrap().expect("released");
    std::thread::spawn(move || drop(guard)).join().unwrap();
    test.expect_free(&test.client().lock("k")).await;
}

async fn holders_are_listed(test: Test) {
    let locker = test.client();
    let guards = [
        test.acquire(&locker.lock("a")).await.unwrap(),
        test.acquire(&test.client().lock("b c")).await.unwrap(),
    ];
    test.release(&test.acquire(&locker.lock("d")).await.unwrap()).await.unwrap();
    let mut keys: Vec<_> =
        test.held(&locker).await.unwrap().iter().map(|held| held.key.to_string()).collect();
    keys.sort();
    assert_eq!(keys, guards.each_ref().map(|guard| guard.key().to_owned()));
}

async fn the_store_can_be_reached(test: Test) {
    match test.side() {
        super::Side::Blocking => test.client().ping().unwrap(),
        super::Side::Async => test.client().ping_async().await.unwrap(),
    }
}
