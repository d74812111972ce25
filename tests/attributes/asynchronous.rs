//! Async functions.

use std::cell::Cell;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use lock::{Guard, lock};

use crate::{LOCKER, is_locked};

#[lock("async:during:{id}", using = LOCKER)]
async fn during(id: u64) -> bool {
    tokio::task::yield_now().await;
    is_locked(&format!("async:during:{id}"))
}

#[tokio::test]
async fn held_during_and_free_after() {
    assert!(during(1).await);
    assert!(!is_locked("async:during:1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_future_can_be_sent() {
    assert!(tokio::spawn(during(2)).await.unwrap());
    assert!(!is_locked("async:during:2"));
}

#[lock("async:early:{key}", using = LOCKER)]
async fn leaves_early(key: u8, text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    if text.is_empty() {
        return Ok(0);
    }
    Ok(text.parse::<u8>()?)
}

#[tokio::test]
async fn an_early_return_and_a_question_mark_release() {
    assert_eq!(leaves_early(1, "").await.unwrap(), 0);
    assert!(!is_locked("async:early:1"));
    leaves_early(2, "x").await.unwrap_err();
    assert!(!is_locked("async:early:2"));
}

static INSIDE: AtomicBool = AtomicBool::new(false);
static TURNS: AtomicU32 = AtomicU32::new(0);

#[lock("async:exclusive", using = LOCKER)]
async fn exclusive() {
    assert!(!INSIDE.swap(true, Ordering::SeqCst), "two at once");
    tokio::task::yield_now().await;
    TURNS.fetch_add(1, Ordering::SeqCst);
    INSIDE.store(false, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_at_a_time() {
    let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(exclusive())).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(TURNS.load(Ordering::SeqCst), 20);
}

#[lock("async:nested", using = LOCKER)]
async fn outer() -> Result<(), lock::Error> {
    tokio::task::yield_now().await;
    inner().await
}

#[lock("async:nested", using = LOCKER)]
async fn inner() -> Result<(), lock::Error> {
    Ok(())
}

#[tokio::test]
async fn a_nested_call_of_the_same_key_is_an_error_and_never_a_hang() {
    assert!(matches!(outer().await, Err(lock::Error::WouldDeadlock { .. })));
    inner().await.unwrap();
}

/// Takes the lease away from whoever holds it.
fn lose(key: &str) {
    LOCKER.lock(key).force_release().unwrap();
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("cancelled when the lease is lost")
}

struct OnDrop<'a>(&'a Cell<bool>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[lock("async:lost", using = LOCKER)]
async fn cancelled(dropped: &Cell<bool>) -> Result<(), lock::Error> {
    let _probe = OnDrop(dropped);
    lose("async:lost");
    pending().await
}

#[tokio::test]
async fn a_lost_lease_cancels_the_body_where_the_type_can_say_so() {
    let dropped = Cell::new(false);
    let error = within(cancelled(&dropped)).await.unwrap_err();
    assert!(error.is_lost());
    assert!(dropped.get());
}

#[lock("async:lost plain", using = LOCKER, guard = guard)]
async fn not_cancelled() -> u8 {
    lose("async:lost plain");
    guard.lost().await;
    tokio::task::yield_now().await;
    7
}

#[tokio::test]
async fn a_lost_lease_lets_a_body_run_on_where_the_type_cannot_say_so() {
    assert_eq!(within(not_cancelled()).await, 7);
}

#[lock("async:lost continue", using = LOCKER, guard = guard, on_lost = "continue")]
async fn told_to_continue() -> Result<u8, lock::Error> {
    lose("async:lost continue");
    guard.lost().await;
    tokio::task::yield_now().await;
    Ok(7)
}

#[tokio::test]
async fn a_lost_lease_lets_a_body_run_on_where_it_was_told_to() {
    assert_eq!(within(told_to_continue()).await.unwrap(), 7);
}

#[lock("async:lost otherwise", using = LOCKER, on_lost = "cancel", otherwise = |error| error.is_lost())]
async fn cancelled_otherwise() -> bool {
    lose("async:lost otherwise");
    pending().await
}

#[tokio::test]
async fn a_lost_lease_gives_the_value_of_otherwise_where_told_to_cancel() {
    assert!(within(cancelled_otherwise()).await);
}

#[lock("async:lost both", using = LOCKER, otherwise = |_| Ok(1))]
async fn cancelled_in_spite_of_otherwise() -> Result<u8, lock::Error> {
    lose("async:lost both");
    pending().await
}

#[tokio::test]
async fn a_half_run_body_is_never_passed_off_as_otherwise() {
    assert!(within(cancelled_in_spite_of_otherwise()).await.unwrap_err().is_lost());
}

#[lock("async:dropped", using = LOCKER, guard = guard)]
async fn never_ends() {
    let guard: &Guard = guard;
    assert!(guard.is_held());
    pending::<()>().await;
}

#[tokio::test]
async fn a_dropped_call_releases() {
    let task = tokio::spawn(never_ends());
    while !is_locked("async:dropped") {
        tokio::task::yield_now().await;
    }
    task.abort();
    task.await.unwrap_err();
    within(async {
        while is_locked("async:dropped") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
