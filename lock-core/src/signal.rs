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
        let mut state = sync::lock(&self.0);
        if state.fired {
            return Poll::Ready(());
        }
        let place = *ticket.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        match state.waiting.iter_mut().find(|(waiter, _)| *waiter == place) {
            Some((_, known)) => known.clone_from(waker),
            None => state.waiting.push((place, waker.clone())),
        }
        Poll::Pending
    }

    fn forget(&self, ticket: u64) {
        sync::lock(&self.0).waiting.retain(|(waiter, _)| *waiter != ticket);
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
