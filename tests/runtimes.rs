//! Blocking calls in places where a runtime is at work, and async ones on a runtime that can do nothing but poll.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use lock_core::{Locker, Settings};
use tests::{scratch::Scratch, subjects::subjects};
use tokio::runtime::Builder;

/// A task of a tokio runtime may make about a hundred steps before it goes back to its runtime, which a blocking call
/// never does.
#[test]
fn a_task_may_make_any_number_of_blocking_calls() {
    let directory = Scratch::new("budget");
    let locker = Locker::open(&directory.url()).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..1000 {
                assert!(!locker.lock("k").is_locked().unwrap());
            }
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
}

/// No connection and no timer is the caller's runtime's, unless he says so.
#[test]
fn runtimes_without_timers_and_sockets_share_a_lock_of_every_backend() {
    for subject in subjects() {
        if subject.name.ends_with("-on-runtime") {
            continue;
        }
        let locker = subject.open(&Settings { prefix: Some("bare:".into()), ..Settings::default() }).unwrap();
        let inside = AtomicU32::new(0);
        let pairs = || {
            let runtime = Builder::new_current_thread().build().unwrap();
            for _ in 0..20 {
                runtime.block_on(async {
                    let guard = locker.lock("k").acquire_async().await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "{}: two at once", subject.name);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    guard.release_async().await.unwrap();
                });
            }
        };
        thread::scope(|scope| {
            scope.spawn(pairs);
            scope.spawn(pairs);
        });
        assert!(!locker.lock("k").is_locked().unwrap(), "{}", subject.name);
    }
}
