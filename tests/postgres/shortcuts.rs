//! First attempts and releases outside of the background thread: nobody fails because another was quicker, and nobody who
//! stops polling keeps others waiting.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Barrier},
    task::{Context, Waker},
    thread,
};

use lock_core::conformance::Side;
use tests::scene::Ends as _;

use crate::scene::{LONG, SIDES, Scene, acquire, lost_within, ms, release};

#[test]
fn who_finds_no_connection_any_more_is_served_by_the_background_thread() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let locker = scene.far();
        locker.ping().unwrap();
        let together = Arc::new(Barrier::new(8));
        let parts: Vec<_> = (0..8)
            .map(|number| {
                let (lock, together) = (locker.lock(format!("k{number}")), Arc::clone(&together));
                thread::spawn(move || {
                    for _ in 0..100 {
                        together.wait();
                        let guard = acquire(&lock.clone().blocking(false), side).unwrap();
                        release(&guard, side).unwrap();
                    }
                })
            })
            .collect();
        for part in parts {
            part.join().unwrap();
        }
    }
}

#[test]
fn connections_are_made_anew_after_all_of_them_were_ended_whoever_asks() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let locker = scene.far();
        for round in 0..20 {
            let guard = acquire(&locker.lock("k").wait(LONG), side)
                .unwrap_or_else(|error| panic!("{round}: {error}"));
            scene.server.end_sessions();
            // What the release says of an answer that it could not get is for other tests.
            drop(release(&guard, side));
            drop(guard);
        }
    }
}

#[test]
fn futures_that_nobody_polls_any_more_keep_neither_renewals_nor_others_waiting() {
    let ttl = ms(900);
    let scene = Scene::new(ttl);
    let locker = scene.far();
    let held = acquire(&locker.lock("held"), Side::Async).unwrap();
    // As many connections as there may be of those that are polled.
    let warm: Vec<_> = (0..4)
        .map(|number| {
            let lock = locker.lock(format!("warm{number}"));
            thread::spawn(move || drop(acquire(&lock, Side::Async).unwrap()))
        })
        .collect();
    warm.into_iter().for_each(|part| part.join().unwrap());
    let locks: Vec<_> = (0..8).map(|number| locker.lock(format!("parked{number}"))).collect();
    let mut parked: Vec<_> = locks.iter().map(|lock| Box::pin(lock.acquire_async())).collect();
    let mut pending = 0;
    for future in &mut parked {
        // Polled once; the answer of a quick server may even be there.
        let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
        pending += u32::from(polled.is_pending());
    }
    assert!(pending > 0, "not one statement took longer than a poll");
    // Others are not refused because of them, also without waiting.
    for number in 0..20 {
        for side in SIDES {
            let guard = acquire(&locker.lock(format!("other{number}")).blocking(false), side).unwrap();
            release(&guard, side).unwrap();
        }
    }
    assert_eq!(lost_within(&held, ttl * 3), None, "it is renewed");
    drop(parked);
    for lock in &locks {
        drop(lock.clone().wait(LONG).acquire().unwrap());
    }
}
