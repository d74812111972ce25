//! The queue under shuttle: 20,000 random schedules of each scene.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p lock-core --lib --release shuttle`, or `tests/run`.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize},
    task::{Context, Waker},
};

use shuttle::{future, thread};

use super::*;
use crate::signal::Waiting;

const SCHEDULES: usize = 20_000;

fn queue() -> (Arc<Queue>, Hashed) {
    let queue = Arc::new(Queue::new());
    let key = queue.hashed(Key::from("k"));
    (queue, key)
}

/// Marks the critical section, in plain memory that shuttle does not see.
#[derive(Default)]
struct Inside(AtomicBool);

impl Inside {
    fn visit(&self) {
        assert!(!self.0.swap(true, std::sync::atomic::Ordering::SeqCst), "two at once");
        thread::yield_now();
        self.0.store(false, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn shuttle_waiters_exclude_each_other_and_all_get_their_turn() {
    shuttle::check_random(
        || {
            let (queue, key) = queue();
            let inside = Arc::new(Inside::default());
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (queue, key, inside) = (Arc::clone(&queue), key.clone(), Arc::clone(&inside));
                    thread::spawn(move || {
                        for _ in 0..2 {
                            let turn = future::block_on(queue.enter(&key));
                            inside.visit();
                            assert!(queue.leave(&key, turn));
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(queue.len(), 0);
        },
        SCHEDULES,
    );
}

#[test]
fn shuttle_a_cancelled_waiter_never_keeps_the_turn() {
    shuttle::check_random(
        || {
            let (queue, key) = queue();
            let inside = Arc::new(Inside::default());
            let canceller = {
                let (queue, key) = (Arc::clone(&queue), key.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        let mut waiting = pin!(queue.enter(&key));
                        let ready = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        if let std::task::Poll::Ready(turn) = ready {
                            queue.leave(&key, turn);
                        }
                        thread::yield_now();
                        // Dropped here: before, while, or after it is given the turn.
                    }
                })
            };
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (queue, key, inside) = (Arc::clone(&queue), key.clone(), Arc::clone(&inside));
                    thread::spawn(move || {
                        let turn = future::block_on(queue.enter(&key));
                        inside.visit();
                        queue.leave(&key, turn);
                    })
                })
                .collect();
            canceller.join().unwrap();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(queue.len(), 0);
        },
        SCHEDULES,
    );
}

#[test]
fn shuttle_the_first_in_line_is_served_first() {
    shuttle::check_random(
        || {
            let (queue, key) = queue();
            let Seat::Given(turn) = queue.try_enter(&key) else { panic!("it was free") };
            let served = Arc::new(AtomicUsize::new(0));
            // In line before the threads begin: their order is known.
            let line: Vec<_> = (0..3).map(|_| queue.enter(&key)).collect();
            let threads: Vec<_> = line
                .into_iter()
                .enumerate()
                .map(|(place, waiting)| {
                    let (queue, key, served) = (Arc::clone(&queue), key.clone(), Arc::clone(&served));
                    thread::spawn(move || {
                        let turn = future::block_on(waiting);
                        assert_eq!(served.fetch_add(1, std::sync::atomic::Ordering::SeqCst), place);
                        queue.leave(&key, turn);
                    })
                })
                .collect();
            queue.leave(&key, turn);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        },
        SCHEDULES,
    );
}

#[test]
fn shuttle_an_expelled_holder_is_told_and_its_leaving_harms_nobody() {
    shuttle::check_random(
        || {
            let (queue, key) = queue();
            let Seat::Given(turn) = queue.try_enter(&key) else { panic!("it was free") };
            let lost = queue.signal(&key, turn).unwrap();
            let holder = {
                let (queue, key) = (Arc::clone(&queue), key.clone());
                thread::spawn(move || queue.leave(&key, turn))
            };
            let expeller = {
                let (queue, key) = (Arc::clone(&queue), key.clone());
                thread::spawn(move || queue.expel(&key, Some(turn)))
            };
            let next = future::block_on(queue.enter(&key));
            assert!(next > turn);
            let left = holder.join().unwrap();
            let expelled = expeller.join().unwrap();
            assert!(left != expelled, "exactly one of the two ended the turn");
            let told = pin!(Waiting::new(lost)).poll(&mut Context::from_waker(Waker::noop())).is_ready();
            assert_eq!(told, expelled);
            assert!(queue.is_current(&key, next) && queue.leave(&key, next));
            assert_eq!(queue.len(), 0);
        },
        SCHEDULES,
    );
}

/// A parcel that is taken or sent back, once in all.
struct Letter {
    queue: Arc<Queue>,
    key: Hashed,
    back: Arc<AtomicUsize>,
}

impl Parcel for Letter {
    fn back(self: Box<Self>, turn: Turn) {
        self.back.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (queue, key) = (Arc::clone(&self.queue), self.key.clone());
        drop(thread::spawn(move || {
            assert!(queue.leave(&key, turn), "the turn goes on until the parcel is back");
        }));
    }

    fn recall(self: Box<Self>) {
        self.back.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn shuttle_a_parcel_is_taken_once_or_sent_back() {
    shuttle::check_random(
        || {
            let (queue, key) = queue();
            let Seat::Given(turn) = queue.try_enter(&key) else { panic!("it was free") };
            let (taken, back) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let letter =
                Box::new(Letter { queue: Arc::clone(&queue), key: key.clone(), back: Arc::clone(&back) });
            let canceller = {
                let (queue, key) = (Arc::clone(&queue), key.clone());
                thread::spawn(move || {
                    let mut waiting = pin!(queue.enter(&key));
                    let ready = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    if let std::task::Poll::Ready(turn) = ready {
                        queue.leave(&key, turn);
                    }
                    thread::yield_now();
                })
            };
            let waiter = {
                let (queue, key, taken) = (Arc::clone(&queue), key.clone(), Arc::clone(&taken));
                thread::spawn(move || {
                    let turn = future::block_on(queue.enter(&key));
                    if queue.take_parcel(&key, turn).is_some() {
                        taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    }
                    queue.leave(&key, turn);
                })
            };
            match queue.pass(&key, turn, letter) {
                Ok(()) => queue.recall_parcel(&key),
                Err(letter) => letter.back(turn),
            }
            canceller.join().unwrap();
            waiter.join().unwrap();
            // Whoever comes last finds it free: nothing keeps the turn.
            let turn = future::block_on(queue.enter(&key));
            queue.leave(&key, turn);
            let count = |counter: &AtomicUsize| counter.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(count(&taken) + count(&back), 1);
        },
        SCHEDULES,
    );
}
