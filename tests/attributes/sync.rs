//! Sync functions.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lock::lock;

use crate::{LOCKER, is_locked};

#[lock("sync:during", using = LOCKER)]
fn during() -> bool {
    is_locked("sync:during")
}

#[test]
fn held_during_and_free_after() {
    assert!(during());
    assert!(!is_locked("sync:during"));
}

#[lock("sync:early:{key}", using = LOCKER)]
fn leaves_early(key: u8, text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    if text.is_empty() {
        return Ok(0);
    }
    Ok(text.parse::<u8>()?)
}

#[test]
fn an_early_return_and_a_question_mark_release() {
    assert_eq!(leaves_early(1, "").unwrap(), 0);
    assert!(!is_locked("sync:early:1"));
    leaves_early(2, "x").unwrap_err();
    assert!(!is_locked("sync:early:2"));
}

#[lock("sync:panic", using = LOCKER)]
fn panics() {
    panic!("in the body");
}

#[test]
fn a_panic_of_the_body_is_its_own_and_releases() {
    let cause = catch_unwind(panics).unwrap_err();
    assert_eq!(cause.downcast_ref(), Some(&"in the body"));
    assert!(!is_locked("sync:panic"));
}

#[lock("sync:nested", using = LOCKER)]
fn outer() -> Result<(), lock::Error> {
    inner()
}

#[lock("sync:nested", using = LOCKER)]
fn inner() -> Result<(), lock::Error> {
    Ok(())
}

#[test]
fn a_nested_call_of_the_same_key_is_an_error_and_never_a_hang() {
    assert!(matches!(outer(), Err(lock::Error::WouldDeadlock { .. })), "{:?}", outer());
    inner().unwrap();
}

static INSIDE: AtomicBool = AtomicBool::new(false);

#[lock("sync:exclusive", using = LOCKER)]
fn exclusive() {
    assert!(!INSIDE.swap(true, Ordering::SeqCst), "two at once");
    thread::yield_now();
    INSIDE.store(false, Ordering::SeqCst);
}

#[test]
fn one_at_a_time() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| exclusive()));
        }
    });
}

#[lock("sync:named", using = LOCKER, guard = lease)]
fn named() -> u64 {
    assert!(lease.is_held());
    lease.release().unwrap();
    assert!(!is_locked("sync:named"));
    lease.fencing_token()
}

#[test]
fn the_body_can_use_the_guard() {
    assert!(named() > 0);
}

struct Counter {
    count: u32,
}

impl Counter {
    #[lock("sync:counter", using = LOCKER)]
    fn add(&mut self) -> &mut u32 {
        self.count += 1;
        &mut self.count
    }
}

#[test]
fn a_method_can_return_what_it_borrows() {
    let mut counter = Counter { count: 1 };
    *counter.add() += 1;
    assert_eq!(counter.count, 3);
    assert!(!is_locked("sync:counter"));
}
