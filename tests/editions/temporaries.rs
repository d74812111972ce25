//! The temporaries of a body's last expression are dropped under the lock, in every edition.

use std::cell::Cell;
use std::future::Future;

use lock::{Locker, lock};

thread_local!(static HELD_AT_DROP: Cell<Option<bool>> = const { Cell::new(None) });

struct Temporary<'a>(&'a Locker);

impl Temporary<'_> {
    fn value(&self) -> u8 {
        let _ = self;
        1
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        HELD_AT_DROP.set(self.0.lock("temporaries").is_locked().ok());
    }
}

#[lock("temporaries", using = locker)]
fn sync(locker: &Locker) -> u8 {
    Temporary(locker).value()
}

#[lock("temporaries", using = locker)]
async fn asynchronous(locker: &Locker) -> u8 {
    Temporary(locker).value()
}

/// Lockers of one process on one URL share their locks; each test has a space of its own.
fn locker(space: &str) -> Locker {
    Locker::open(&format!("memory://{space}")).unwrap()
}

#[test]
fn a_temporary_of_the_tail_is_dropped_before_the_release() {
    let locker = locker("sync");
    assert_eq!(sync(&locker), 1);
    assert_eq!(HELD_AT_DROP.take(), Some(true));
    assert!(!locker.lock("temporaries").is_locked().unwrap());
}

#[test]
fn a_temporary_of_an_async_tail_is_dropped_before_the_release() {
    let locker = locker("async");
    let mut future = std::pin::pin!(asynchronous(&locker));
    let waker = std::task::Waker::noop();
    assert!(future.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready());
    assert_eq!(HELD_AT_DROP.take(), Some(true));
    assert!(!locker.lock("temporaries").is_locked().unwrap());
}

#[test]
fn a_temporary_of_a_block_is_dropped_before_the_release() {
    let locker = locker("block");
    let value = lock::prelude::lock!("temporaries", using = locker, { Temporary(&locker).value() });
    assert_eq!(value.unwrap(), 1);
    assert_eq!(HELD_AT_DROP.take(), Some(true));
}
