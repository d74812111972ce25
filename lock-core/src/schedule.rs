//! When something is due: one list for the whole process, kept by the background thread.
//!
//! What may interleave: a hold may end while it becomes due. Whoever takes it from the list, its end or its being due,
//! acts on it; a hold that is told to be due after its end finds that it has ended. The thread is woken only for what
//! is due before it would look anyway, so that a lock that is released at once costs it nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{clock::Moment, hold::Leased, renew, sync};

/// Sleeps stand still while the machine is suspended, leases do not: so they are looked at again this soon afterwards.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The holds that have to be looked after, by when.
pub(crate) struct Schedule {
    list: Mutex<List>,
    earlier: Notify,
}

struct List {
    due: BTreeMap<Ticket, Arc<Leased>>,
    last: u64,
    /// When the thread looks next.
    looks: Moment,
}

/// A place in the list: the moment, and a number that makes it the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Moment, u64);

impl Schedule {
    pub(crate) fn new() -> Self {
        let list = List { due: BTreeMap::new(), last: 0, looks: Moment::NEVER };
        Self { list: Mutex::new(list), earlier: Notify::new() }
    }

    /// Looks after a hold from `due` on.
    pub(crate) fn add(&self, hold: &Arc<Leased>, due: Moment) -> Ticket {
        let mut list = sync::lock(&self.list);
        list.last += 1;
        let ticket = Ticket(due, list.last);
        list.due.insert(ticket, Arc::clone(hold));
        if due < list.looks {
            list.looks = due;
            drop(list);
            self.earlier.notify_one();
        }
        ticket
    }

    /// The hold has ended. `false`: it is looked after already.
    pub(crate) fn remove(&self, ticket: Ticket) -> bool {
        let removed = sync::lock(&self.list).due.remove(&ticket);
        removed.is_some()
    }

    /// Looks after those at once that `which` says.
    pub(crate) fn hurry(&self, which: impl Fn(&Leased) -> bool) {
        let mut list = sync::lock(&self.list);
        let tickets: Vec<_> =
            list.due.iter().filter(|(_, hold)| which(hold)).map(|(ticket, _)| *ticket).collect();
        let found: Vec<_> = tickets.iter().filter_map(|ticket| list.due.remove(ticket)).collect();
        drop(list);
        found.iter().for_each(renew::look_now);
    }

    /// Runs for ever, on the background thread.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.begin_what_is_due();
            if next == Moment::NEVER {
                self.earlier.notified().await;
            } else {
                let sleep = next.until().min(LONGEST_SLEEP);
                drop(tokio::time::timeout(sleep, self.earlier.notified()).await);
            }
        }
    }

    /// Returns when to look again.
    fn begin_what_is_due(&self) -> Moment {
        let mut due = Vec::new();
        let mut list = sync::lock(&self.list);
        let now = Moment::now();
        while let Some(first) = list.due.first_entry() {
            if first.key().0 > now {
                break;
            }
            due.push(first.remove());
        }
        // A look that was planned stays so, though nothing may be due then any more: the next hold is due later than
        // that in most cases, and must not wake the thread.
        let planned = if list.looks > now { list.looks } else { Moment::NEVER };
        let next = list.due.first_key_value().map_or(planned, |(ticket, _)| ticket.0.min(planned));
        list.looks = next;
        drop(list);
        due.iter().for_each(renew::begin);
        next
    }
}
