//! Blocking calls in places where a runtime is at work.
#![allow(missing_docs, reason = "a test")]

use lock_core::Locker;
use tests::scratch::Scratch;

/// A task of a tokio runtime may make about a hundred steps before it goes back to its runtime, which a blocking call
/// never does.
#[test]
fn a_task_may_make_any_number_of_blocking_calls() {
    let directory = Scratch::new("budget");
    let locker = Locker::open(&directory.url()).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..1000 {
                assert!(!locker.lock("k").is_locked().unwrap());
            }
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
}
