//! Who waits in this process, and what each is told.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;

use crate::{
    backend::{BoxFuture, Signal, Watch},
    backends::{
        mailbox::{Listening, Mailbox},
        sql::{BETWEEN, WINDOW},
    },
    lease::Owner,
    sync::{self, Mutex},
};

/// All who wait for a key.
type Waiters = Vec<(Owner, Arc<Mailbox>)>;

/// Who waits, and how the listening goes.
#[derive(Default)]
pub(super) struct Waiting {
    /// By the id of the key that they wait for.
    mailboxes: Mutex<HashMap<String, Waiters>>,
    state: Mutex<State>,
    /// Fires when nobody is left to listen for.
    pub(super) over: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Idle,
    Starting,
    Up,
    Down,
}

#[derive(Default)]
struct State {
    phase: Phase,
    process: u32,
}

impl Waiting {
    pub(super) fn phase(&self) -> Phase {
        let state = sync::lock(&self.state);
        // The thread that attends is not there in a forked child.
        if state.process == std::process::id() { state.phase } else { Phase::Idle }
    }

    /// Whether the caller has to start the listening.
    pub(super) fn begin(&self) -> bool {
        let mut state = sync::lock(&self.state);
        let idle = state.phase == Phase::Idle || state.process != std::process::id();
        if idle {
            *state = State { phase: Phase::Starting, process: std::process::id() };
        }
        idle
    }

    pub(super) fn set(&self, phase: Phase) {
        sync::lock(&self.state).phase = phase;
    }

    /// The mailbox of a waiter, and whether it is new.
    pub(super) fn mailbox(&self, id: &str, owner: &Owner) -> (Arc<Mailbox>, bool) {
        let mut mailboxes = sync::lock(&self.mailboxes);
        let of_key = mailboxes.entry(id.to_owned()).or_default();
        if let Some((_, known)) = of_key.iter().find(|(known, _)| known == owner) {
            return (Arc::clone(known), false);
        }
        let mailbox = Arc::<Mailbox>::default();
        of_key.push((owner.clone(), Arc::clone(&mailbox)));
        (mailbox, true)
    }

    pub(super) fn forget(&self, id: &str, owner: &Owner) {
        let mut mailboxes = sync::lock(&self.mailboxes);
        if let Some(of_key) = mailboxes.get_mut(id) {
            of_key.retain(|(known, _)| known != owner);
            if of_key.is_empty() {
                mailboxes.remove(id);
            }
        }
    }

    /// A key is free, and kept for a while for the first of those who are named; for nobody if none is.
    pub(super) fn told(&self, id: &str, line: &str) {
        let mailboxes = sync::lock(&self.mailboxes);
        for (owner, mailbox) in mailboxes.get(id).into_iter().flatten() {
            let mut named = line.split(BETWEEN).filter(|named| !named.is_empty());
            let place = named.position(|named| owner.text(&mut [0; 32]) == named);
            if line.is_empty() || place == Some(0) {
                mailbox.tell(Signal::LookAgain);
            } else {
                // Only the first few are named. If none of them comes, it is for the others.
                mailbox.tell(Signal::FreeIn(if place.is_some() { WINDOW } else { WINDOW * 2 }));
            }
        }
    }

    pub(super) fn wake_all(&self) {
        let mailboxes = sync::lock(&self.mailboxes);
        mailboxes.values().flatten().for_each(|(_, mailbox)| mailbox.tell(Signal::LookAgain));
    }
}

/// What is announced to a waiter, for as long as somebody listens.
pub(super) struct Announcements {
    pub(super) mailbox: Listening,
    pub(super) waiting: Arc<Waiting>,
}

impl Watch for Announcements {
    fn next(&mut self) -> BoxFuture<'_, Option<Signal>> {
        // Nobody does any more where a pooler has come in between.
        if self.waiting.phase() == Phase::Idle { Box::pin(async { None }) } else { self.mailbox.next() }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn owner(name: &str) -> Owner {
        name.parse().unwrap()
    }

    /// What a mailbox holds, if anything.
    fn told(mailbox: &Arc<Mailbox>) -> Option<Signal> {
        let mut listening = Listening(Arc::clone(mailbox));
        match pin!(listening.next()).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(signal) => signal,
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_first_in_line_looks_at_once_and_those_behind_him_when_his_time_is_over() {
        let waiting = Waiting::default();
        let names = ["a", "b", "c", "not named"];
        let mailboxes = names.map(|name| waiting.mailbox("k", &owner(name)).0);
        let other = waiting.mailbox("other", &owner("a")).0;
        waiting.told("k", "\u{1f}a\u{1f}elsewhere\u{1f}b\u{1f}c\u{1f}");
        let (later, last) = (Some(Signal::FreeIn(WINDOW)), Some(Signal::FreeIn(WINDOW * 2)));
        assert_eq!(mailboxes.each_ref().map(told), [Some(Signal::LookAgain), later.clone(), later, last]);
        assert_eq!(told(&other), None);
    }

    #[test]
    fn whoever_is_forgotten_leaves_nothing() {
        let waiting = Waiting::default();
        for name in ["a", "b"] {
            assert!(waiting.mailbox("k", &owner(name)).1);
            assert!(!waiting.mailbox("k", &owner(name)).1, "the same again");
        }
        waiting.forget("k", &owner("a"));
        waiting.forget("k", &owner("a"));
        waiting.forget("other", &owner("b"));
        assert_eq!(sync::lock(&waiting.mailboxes).values().map(Vec::len).sum::<usize>(), 1);
        waiting.forget("k", &owner("b"));
        assert!(sync::lock(&waiting.mailboxes).is_empty());
    }

    #[test]
    fn all_look_when_announcements_may_be_lost_and_none_is_waited_for_when_nobody_listens() {
        let waiting = Arc::new(Waiting::default());
        assert!(waiting.begin() && !waiting.begin());
        let mailbox = waiting.mailbox("k", &owner("a")).0;
        let mut announcements =
            Announcements { mailbox: Listening(Arc::clone(&mailbox)), waiting: Arc::clone(&waiting) };
        waiting.set(Phase::Up);
        waiting.wake_all();
        assert_eq!(crate::park::block_on(announcements.next()), Some(Signal::LookAgain));
        waiting.set(Phase::Idle);
        assert_eq!(crate::park::block_on(announcements.next()), None);
    }
}
