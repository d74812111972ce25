//! Something that happens once, and that many may wait for.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::sync::{self, Mutex};

/// Fired at most once; whoever waits then, or later, is told.
#[derive(Debug, Default)]
pub(crate) struct Signal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    fired: bool,
    next: u64,
    // Few wait for one guard's loss; a list searched from the front is enough.
    waiting: Vec<(u64, Waker)>,
}

impl Signal {
    pub(crate) fn fire(&self) {
        let waiting = {
            let mut state = sync::lock(&self.0);
            state.fired = true;
            std::mem::take(&mut state.waiting)
        };
        // A waker runs foreign code: never under our lock.
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// Polls for the signal; `ticket` names the waiter between its polls.
    fn poll(&self, ticket: &mut Option<u64>, waker: &Waker) -> Poll<()> {
        // Cloning and dropping a waker runs foreign code, too: never under our lock.
        let waker = waker.clone();
        let unused = sync::lock(&self.0).register(ticket, waker);
        match unused {
            Ok(replaced) => {
                drop(replaced);
                Poll::Pending
            }
            Err(fired) => {
                drop(fired);
                Poll::Ready(())
            }
        }
    }

    fn forget(&self, ticket: u64) {
        let forgotten = sync::lock(&self.0).remove(ticket);
        drop(forgotten);
    }
}

impl State {
    /// Keeps `waker` for the waiter, and returns the one it had before; gives it back if the signal was fired.
    fn register(&mut self, ticket: &mut Option<u64>, waker: Waker) -> Result<Option<Waker>, Waker> {
        if self.fired {
            return Err(waker);
        }
        let place = *ticket.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.waiting.iter_mut().find(|(waiter, _)| *waiter == place) {
            Some((_, known)) => Ok(Some(std::mem::replace(known, waker))),
            None => {
                self.waiting.push((place, waker));
                Ok(None)
            }
        }
    }

    fn remove(&mut self, ticket: u64) -> Option<Waker> {
        let place = self.waiting.iter().position(|(waiter, _)| *waiter == ticket)?;
        Some(self.waiting.remove(place).1)
    }
}

/// A wait for a [`Signal`] that leaves nothing behind when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<S: AsRef<Signal>> {
    signal: S,
    ticket: Option<u64>,
}

impl<S: AsRef<Signal>> Waiting<S> {
    pub(crate) const fn new(signal: S) -> Self {
        Self { signal, ticket: None }
    }
}

impl<S: AsRef<Signal> + Unpin> Future for Waiting<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { signal, ticket } = self.get_mut();
        signal.as_ref().poll(ticket, context.waker())
    }
}

impl<S: AsRef<Signal>> Drop for Waiting<S> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.signal.as_ref().forget(ticket);
        }
    }
}

impl AsRef<Self> for Signal {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{
        pin::pin,
        sync::{Arc, mpsc},
        task::Wake,
        thread,
        time::Duration,
    };

    use super::*;

    /// A waker whose last reference, when it is dropped, uses the signal it waits for.
    struct Entangled(Arc<Signal>);

    impl Wake for Entangled {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Entangled {
        fn drop(&mut self) {
            let other = pin!(Waiting::new(&*self.0));
            assert!(other.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }

    #[test]
    fn a_waker_that_uses_the_signal_when_it_is_dropped_does_not_deadlock() {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let signal = Arc::new(Signal::default());
            let entangled = || Waker::from(Arc::new(Entangled(Arc::clone(&signal))));
            let mut waiting = Box::pin(Waiting::new(Arc::clone(&signal)));
            for _ in 0..2 {
                let polled = waiting.as_mut().poll(&mut Context::from_waker(&entangled()));
                assert!(polled.is_pending());
            }
            drop(waiting);
            assert!(sync::lock(&signal.0).waiting.is_empty());
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).expect("it ends");
    }
}
