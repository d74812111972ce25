//! A process that forks while it holds locks: says what its child makes of them, and what is left of them then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program of the tests")]

use std::{
    io::stdin,
    process,
    time::{Duration, Instant},
};

use fork::{Fork, fork, waitpid};
use lock_core::{Error, Guard, Locker, Settings, conformance::pulse};
use tests::{callers::running_since, subjects::by_prefix};

fn main() {
    pulse::start();
    let url = std::env::args().nth(1).expect("the URL of a store");
    let settings = Settings { prefix: Some("lock:".into()), ..Settings::default() };
    let locker = Locker::open_with(&by_prefix(&url, &settings), &settings).unwrap();
    // Those who block have a connection of their own from the second time on.
    let warm = || locker.lock("fork:warm").acquire().unwrap().release().unwrap();
    (0..3).for_each(|_| warm());
    let end = |child| waitpid(child).unwrap();
    match fork().unwrap() {
        Fork::Child => {
            drop(locker);
            process::exit(0);
        }
        Fork::Parent(child) => end(child),
    };
    let begin = Instant::now();
    warm();
    let took = running_since(begin);
    assert!(took < Duration::from_millis(800), "what the child closed is the parent's: {took:?}");
    let lock = locker.lock("fork:k").wait(Duration::from_secs(20));
    let (blocking, asynchronous) =
        (lock.acquire().unwrap(), smol::block_on(locker.lock("fork:l").acquire_async()).unwrap());
    match fork().unwrap() {
        Fork::Child => inherit(blocking, asynchronous),
        Fork::Parent(child) => end(child),
    };
    println!("parent\t{}\t{}", blocking.is_held(), asynchronous.is_held());
    stdin().lines().next().unwrap().unwrap();
    match fork().unwrap() {
        Fork::Child => {
            println!("child\t{}", said(lock.acquire().and_then(|guard| guard.release())));
            // Its parent's guards are not its own, whatever its end drops.
            process::exit(0);
        }
        Fork::Parent(child) => {
            let released = [blocking.release(), smol::block_on(asynchronous.release_async())];
            end(child);
            println!("parent\t{}", released.map(said).join("\t"));
        }
    }
}

/// What somebody does who has not heard that he is a child.
fn inherit(blocking: Guard, asynchronous: Guard) -> ! {
    let told = smol::block_on(smol::future::poll_once(asynchronous.lost())).is_some();
    println!("child\t{}\t{told}\t{}", blocking.is_held(), said(blocking.release()));
    drop((blocking, asynchronous));
    process::exit(0);
}

fn said(result: Result<(), Error>) -> String {
    result.map_or_else(
        |error| if error.is_lost() { "lost".into() } else { error.to_string() },
        |()| "done".into(),
    )
}
