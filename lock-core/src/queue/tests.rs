use std::{
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use super::*;
use crate::park;

fn queue() -> (Arc<Queue>, Hashed) {
    let queue = Arc::new(Queue::new());
    let key = queue.hashed(Key::from("k"));
    (queue, key)
}

fn given(seat: Seat) -> Turn {
    let Seat::Given(turn) = seat else { unreachable!("the turn was taken") };
    turn
}

#[test]
fn a_turn_is_had_by_one_and_left_behind_by_none() {
    let (queue, key) = queue();
    let turn = given(queue.try_enter(&key));
    assert_eq!(queue.try_enter(&key), Seat::Taken { releasing: false });
    assert!(queue.leave(&key, turn));
    assert!(!queue.leave(&key, turn), "left once");
    assert_eq!(queue.len(), 0);
}

#[test]
fn turns_of_a_key_strictly_increase() {
    let (queue, key) = queue();
    let mut last = 0;
    for _ in 0..100 {
        let turn = given(queue.try_enter(&key));
        assert!(turn > last);
        last = turn;
        queue.leave(&key, turn);
    }
}

#[test]
fn waiters_are_served_first_come_first_served() {
    let (queue, key) = queue();
    let turn = given(queue.try_enter(&key));
    let mut line: Vec<_> = (0..5).map(|_| Box::pin(queue.enter(&key))).collect();
    let mut context = Context::from_waker(Waker::noop());
    queue.leave(&key, turn);
    for place in 0..line.len() {
        let ready: Vec<bool> =
            line[place..].iter_mut().map(|waiter| waiter.as_mut().poll(&mut context).is_ready()).collect();
        assert!(ready[0] && !ready[1..].contains(&true), "{ready:?}");
        let (turn, _) = queue.current(&key).unwrap();
        queue.leave(&key, turn);
    }
    assert_eq!(queue.len(), 0);
}

#[test]
fn cancelled_waits_leave_no_entry() {
    let (queue, key) = queue();
    let turn = given(queue.try_enter(&key));
    for _ in 0..10_000 {
        let mut waiting = pin!(queue.enter(&key));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    queue.leave(&key, turn);
    assert_eq!(queue.len(), 0);
}

#[test]
fn a_waiter_dropped_after_it_was_given_the_turn_gives_it_on() {
    let (queue, key) = queue();
    let turn = given(queue.try_enter(&key));
    let (first, second) = (queue.enter(&key), queue.enter(&key));
    queue.leave(&key, turn);
    drop(first);
    let turn = park::block_on(second);
    assert!(queue.leave(&key, turn));
    assert_eq!(queue.len(), 0);
}

#[test]
fn the_expelled_is_told_and_cannot_leave_for_its_successor() {
    let (queue, key) = queue();
    let turn = given(queue.try_enter(&key));
    let lost = queue.signal(&key, turn).unwrap();
    let next = queue.enter(&key);
    assert!(queue.expel(&key, Some(turn)));
    let mut told = crate::signal::Waiting::new(lost);
    assert_eq!(pin!(&mut told).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    assert!(!queue.leave(&key, turn));
    let next = park::block_on(next);
    assert!(next > turn && queue.is_current(&key, next));
}

#[test]
fn many_threads_one_turn() {
    let (queue, key) = queue();
    let inside = std::sync::atomic::AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let turn = park::block_on(queue.enter(&key));
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    queue.leave(&key, turn);
                }
            });
        }
    });
    assert_eq!(queue.len(), 0);
}

/// A waker whose last reference has a turn, and leaves it when it is dropped: that of a task with a guard.
struct Leaving(Arc<Queue>, Hashed, Turn);

impl Wake for Leaving {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave(&self.1, self.2);
    }
}

#[test]
fn a_waker_that_leaves_the_turn_when_it_is_dropped_does_not_deadlock() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let (queue, key) = queue();
        let turn = given(queue.try_enter(&key));
        let mut waiting = Box::pin(queue.enter(&key));
        let holder = Waker::from(Arc::new(Leaving(Arc::clone(&queue), key.clone(), turn)));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&holder)).is_pending());
        drop(holder);
        // The first waker is replaced, and with it goes the turn: to the one who polls.
        let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        done.send(matches!(polled, Poll::Ready(next) if queue.leave(&key, next))).unwrap();
    });
    assert!(is_done.recv_timeout(Duration::from_secs(20)).expect("it ends"), "the turn was passed on");
}
