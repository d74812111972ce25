//! Somebody else's transaction keeps the file.

use std::{
    future::Future as _,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use lock::Error;

use crate::scene::{LONG, Scene, eventually, lost_within, ms};

#[test]
fn a_transaction_shorter_than_the_ttl_is_waited_for_and_takes_nothing_away() {
    let scene = Scene::new(Duration::from_secs(3));
    let (ours, others) = (scene.client(), scene.client());
    let (guard, released) = (ours.lock("k").acquire().unwrap(), ours.lock("released").acquire().unwrap());
    let transaction = scene.transaction();
    let begin = Instant::now();
    thread::scope(|scope| {
        // Who waits goes on waiting, who gives back does so in the end, who does not wait is told.
        let waiter = scope.spawn(|| others.lock("other").wait(LONG).acquire().unwrap());
        let releasing = scope.spawn(|| released.release());
        let refused = others.lock("third").try_acquire();
        assert!(refused.is_ok_and(|none| none.is_none()), "had while nobody can write");
        assert!(begin.elapsed() < Duration::from_secs(2), "told after {:?}", begin.elapsed());
        thread::sleep(Duration::from_secs(2).saturating_sub(begin.elapsed()));
        transaction.commit();
        assert!(waiter.join().unwrap().is_held());
        assert!(releasing.join().unwrap().is_ok());
    });
    // Long enough for a renewal that could not be sent in time to be missed.
    assert_eq!(lost_within(&guard, Duration::from_secs(3)), None);
    assert_eq!(scene.ask("SELECT owner FROM lock_leases WHERE key = 'lock:k'"), guard.owner().to_string());
    assert!(others.lock("released").try_acquire().unwrap().is_some());
    assert!(others.lock("k").try_acquire().unwrap().is_none());
}

#[test]
fn a_transaction_longer_than_the_ttl_is_a_loss_that_is_told_in_time() {
    let ttl = ms(800);
    let scene = Scene::new(ttl);
    let guard = scene.client().lock("k").acquire().unwrap();
    let transaction = scene.transaction();
    let deadline = guard.remaining();
    let lost = lost_within(&guard, ttl * 2).expect("it cannot be renewed");
    assert!(lost <= deadline + ms(50), "told after {lost:?} of {deadline:?}");
    assert!(guard.release().is_err_and(|error| error.is_lost()));
    transaction.commit();
    let next = scene.client().lock("k").wait(LONG).acquire().unwrap();
    assert!(next.fencing_token() > guard.fencing_token());
}

#[test]
fn a_file_that_stays_locked_is_an_error_that_says_so() {
    let scene = Scene::new(ms(500));
    let locker = scene.client();
    locker.lock("k").acquire().unwrap().release().unwrap();
    let transaction = scene.transaction();
    let begin = Instant::now();
    let error = locker.lock("k").wait(Duration::from_secs(8)).acquire().unwrap_err();
    assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error:?}");
    assert!(
        error.to_string().contains("database is locked; a transaction of somebody else keeps it"),
        "{error}"
    );
    assert!(begin.elapsed() < Duration::from_secs(10), "told after {:?}", begin.elapsed());
    transaction.commit();
    assert!(eventually(LONG, || locker.lock("k").try_acquire().is_ok_and(|guard| guard.is_some())));
}

#[test]
fn a_call_that_nobody_polls_any_more_keeps_nobody_from_the_file() {
    let scene = Scene::new(ms(900));
    let locker = scene.client();
    let guard = locker.lock("k").acquire().unwrap();
    let other = locker.lock("other");
    let mut left_alone = Box::pin(other.acquire_async());
    // Begun, and then left by a task whose thread has something else to do.
    let begun = left_alone.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(lost_within(&guard, ms(1800)), None, "its renewals waited");
    assert!(locker.lock("third").wait(LONG).acquire().unwrap().is_held());
    guard.release().unwrap();
    drop((begun, left_alone));
    assert!(eventually(LONG, || scene
        .client()
        .lock("other")
        .try_acquire()
        .is_ok_and(|guard| guard.is_some())));
}
