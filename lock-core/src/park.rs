//! A blocking call as the wait for a future: spin for a moment, then sleep.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

const RUNNING: u8 = 0;
const ASLEEP: u8 = 1;
const WOKEN: u8 = 2;

struct Sleeper {
    thread: Thread,
    state: AtomicU8,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The system call is only needed for a thread that has really gone to sleep.
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            self.thread.unpark();
        }
    }
}

/// Runs `future` on this thread until it is done.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    block_on_until(future, None)
}

/// Like [`block_on`], for a future that must also be polled once at a deadline, without a timer to wake it.
pub(crate) fn block_on_until<F: Future>(future: F, mut deadline: Option<Instant>) -> F::Output {
    // A task of a tokio runtime has a budget, which it gets back by going back to its runtime. Here it never does.
    let mut future = pin!(tokio::task::unconstrained(future));
    let sleeper = Arc::new(Sleeper { thread: thread::current(), state: AtomicU8::new(RUNNING) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        sleep(&sleeper, deadline);
        deadline = deadline.filter(|at| Instant::now() < *at);
    }
}

/// Returns when the sleeper was woken, or the deadline has passed, or by chance.
fn sleep(sleeper: &Sleeper, deadline: Option<Instant>) {
    if !spin(sleeper) {
        let asleep = sleeper.state.compare_exchange(RUNNING, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        while asleep.is_ok() && sleeper.state.load(Ordering::Acquire) == ASLEEP {
            match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => break,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
    // A swap, to see what was written before a wake-up that came in between.
    sleeper.state.swap(RUNNING, Ordering::AcqRel);
}

/// Waits for a wake-up that comes within a few microseconds: a sleep costs more than that.
fn spin(sleeper: &Sleeper) -> bool {
    const ROUNDS: u32 = 7;
    const YIELDS: u32 = 3;
    for round in 0..ROUNDS + YIELDS {
        if sleeper.state.load(Ordering::Acquire) == WOKEN {
            return true;
        }
        if round < ROUNDS {
            (0..1 << round).for_each(|_| std::hint::spin_loop());
        } else {
            thread::yield_now();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[test]
    fn a_wake_up_between_poll_and_sleep_is_not_missed() {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            if polls == 1 {
                waker.wake();
            } else {
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(20));
                    waker.wake();
                });
            }
            Poll::Pending
        }));
        assert_eq!(polls, 3);
    }

    #[test]
    fn a_deadline_polls_again() {
        let until = Instant::now() + Duration::from_millis(30);
        let future = poll_fn(|_| if Instant::now() >= until { Poll::Ready(()) } else { Poll::<()>::Pending });
        block_on_until(future, Some(until));
        assert!(Instant::now() >= until);
    }
}
