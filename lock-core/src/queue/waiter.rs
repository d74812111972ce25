//! One who waits for a turn.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Hashed, Queue, Turn, entry::Entry};
use crate::sync::{self, AtomicU64, Mutex, Ordering};

const NONE_YET: Turn = 0;

#[derive(Default)]
pub(super) struct Waiter {
    turn: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Waiter {
    /// Called with the shard locked; [`wake`](Self::wake) follows when it no longer is.
    pub(super) fn give(&self, turn: Turn) {
        self.turn.store(turn, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        let waker = sync::lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn turn(&self) -> Option<Turn> {
        match self.turn.load(Ordering::Acquire) {
            NONE_YET => None,
            turn => Some(turn),
        }
    }

    fn poll(&self, waker: &Waker) -> Option<Turn> {
        if let Some(turn) = self.turn() {
            return Some(turn);
        }
        // Cloning and dropping a waker runs foreign code: never under our lock.
        let waker = waker.clone();
        let old = sync::lock(&self.waker).replace(waker);
        drop(old);
        // Given in between: `wake` found no waker, or an old one.
        self.turn()
    }
}

/// A turn that is on its way; dropped before or after it came, it goes to the next in line.
pub(crate) struct Entering {
    queue: Arc<Queue>,
    key: Hashed,
    line: Line,
}

/// Where a caller stands.
enum Line {
    /// It got in line, or has been given the turn without having been told yet.
    In(InLine),
    /// It found the key free when it came, and has not been told yet.
    First(Turn),
    /// It was told.
    Left,
}

/// A place in line.
struct InLine(Arc<Waiter>);

impl Entering {
    pub(super) fn new(queue: Arc<Queue>, key: Hashed) -> Self {
        let line = {
            let mut entries = queue.entries(&key);
            if let Some(entry) = entries.held.get_mut(&key) {
                let waiter = Arc::new(Waiter::default());
                entry.add_waiter(Arc::clone(&waiter));
                Line::In(InLine(waiter))
            } else {
                let turn = entries.next_turn();
                entries.held.insert(key.clone(), Entry::new(turn));
                Line::First(turn)
            }
        };
        Self { queue, key, line }
    }
}

impl Future for Entering {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turn> {
        let turn = match &self.line {
            Line::First(turn) => Some(*turn),
            Line::In(InLine(waiter)) => waiter.poll(context.waker()),
            Line::Left => None,
        };
        turn.map_or(Poll::Pending, |turn| {
            self.line = Line::Left;
            Poll::Ready(turn)
        })
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        let given = match std::mem::replace(&mut self.line, Line::Left) {
            Line::Left => None,
            Line::First(turn) => Some(turn),
            Line::In(InLine(waiter)) => {
                let mut entries = self.queue.entries(&self.key);
                let entry = entries.held.get_mut(&self.key);
                let was_in_line = entry.is_some_and(|entry| entry.remove_waiter(&waiter));
                drop(entries);
                if was_in_line { None } else { waiter.turn() }
            }
        };
        if let Some(turn) = given {
            self.queue.leave(&self.key, turn);
        }
    }
}

impl fmt::Debug for Entering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entering").field("key", self.key.key()).finish_non_exhaustive()
    }
}
