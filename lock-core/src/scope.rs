//! Which locks the running call is inside of, so that one that would wait for itself is told.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use crate::key::Key;

thread_local!(static INSIDE: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) });

/// A key of a locker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address of the locker's queue, which lives as long as a guard of it.
    pub(crate) locker: usize,
    pub(crate) key: Key,
}

/// Whether this thread, or the task it is just polling, is inside a body that holds the lock.
pub(crate) fn is_inside(locker: usize, key: &Key) -> bool {
    // Past the end of the thread's locals nobody is inside of anything.
    INSIDE
        .try_with(|inside| inside.borrow().iter().any(|place| place.locker == locker && place.key == *key))
        .unwrap_or(false)
}

/// The body of a call that holds a lock, until this is dropped.
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct Scope {
    place: Place,
    // A scope is of its thread.
    not_send: PhantomData<*const ()>,
}

impl Scope {
    pub(crate) fn enter(place: Place) -> Self {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push(place.clone()));
        Self { place, not_send: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| {
            let mut inside = inside.borrow_mut();
            if let Some(last) = inside.iter().rposition(|place| *place == self.place) {
                inside.remove(last);
            }
        });
    }
}

/// An async body that holds a lock: a scope around each of its polls.
pub struct Scoped<F> {
    place: Place,
    body: Pin<Box<F>>,
}

impl<F> Scoped<F> {
    pub(crate) fn new(place: Place, body: F) -> Self {
        Self { place, body: Box::pin(body) }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _scope = Scope::enter(self.place.clone());
        self.body.as_mut().poll(context)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("place", &self.place).finish_non_exhaustive()
    }
}
