//! When something is due: one list for the whole process, kept by the background thread.
//!
//! What may interleave: a hold may end while it becomes due. Whoever takes it from the list, its end or its being due,
//! acts on it; a hold that is told to be due after its end finds that it has ended. The thread is woken only for what
//! is due before it would look anyway, so that a lock that is released at once costs it nothing.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    clock::Moment,
    hold::Leased,
    renew,
    signal::{Signal, Waiting},
    sync::{self, Mutex},
};

/// Sleeps stand still while the machine is suspended, leases do not: so they are looked at again this soon afterwards.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What is due, and when.
pub(crate) struct Schedule {
    list: Mutex<List>,
    earlier: Notify,
}

struct List {
    due: BTreeMap<Ticket, Due>,
    /// Those that have been due, and are looked after by a task of their own.
    kept: Vec<Weak<Leased>>,
    last: u64,
    /// When the thread looks next.
    looks: Moment,
}

enum Due {
    /// To be looked after.
    Hold(Arc<Leased>),
    /// To be called.
    Call(Box<dyn FnOnce() + Send>),
    /// To be fired.
    Alarm(Arc<Signal>),
}

/// A place in the list: the moment, and a number that makes it the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Moment, u64);

impl Schedule {
    pub(crate) fn new() -> Self {
        let list = List { due: BTreeMap::new(), kept: Vec::new(), last: 0, looks: Moment::NEVER };
        Self { list: Mutex::new(list), earlier: Notify::new() }
    }

    /// Looks after a hold from `due` on.
    pub(crate) fn add(&self, hold: &Arc<Leased>, due: Moment) -> Ticket {
        self.insert(Due::Hold(Arc::clone(hold)), due)
    }

    /// Calls `call` on the background thread when `after` has passed, unless what is returned is dropped before.
    pub(crate) fn call(self: &Arc<Self>, after: Duration, call: impl FnOnce() + Send + 'static) -> Call {
        let ticket = self.insert(Due::Call(Box::new(call)), Moment::now().after(after));
        Call { schedule: Arc::clone(self), ticket }
    }

    /// Is ready when `after` has passed, on any executor, also on one that drives no timers.
    pub(crate) fn alarm(self: &Arc<Self>, after: Duration) -> impl Future<Output = ()> + Send + use<> {
        let signal = Arc::new(Signal::default());
        let ticket = self.insert(Due::Alarm(Arc::clone(&signal)), Moment::now().after(after));
        let set = Call { schedule: Arc::clone(self), ticket };
        async move {
            let _set = set;
            Waiting::new(signal).await;
        }
    }

    fn insert(&self, what: Due, due: Moment) -> Ticket {
        let mut list = sync::lock(&self.list);
        list.last += 1;
        let ticket = Ticket(due, list.last);
        list.due.insert(ticket, what);
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

    /// A task of its own looks after a hold from now on.
    pub(crate) fn is_kept(&self, hold: &Arc<Leased>) {
        let kept = &mut sync::lock(&self.list).kept;
        if kept.len() == kept.capacity() {
            kept.retain(|hold| hold.strong_count() > 0);
        }
        kept.push(Arc::downgrade(hold));
    }

    /// Looks after those at once that `which` says.
    pub(crate) fn hurry(&self, which: impl Fn(&Leased) -> bool) {
        let mut list = sync::lock(&self.list);
        let wanted = |(ticket, due): (&Ticket, &Due)| match due {
            Due::Hold(hold) if which(hold) => Some(*ticket),
            _ => None,
        };
        let tickets: Vec<_> = list.due.iter().filter_map(wanted).collect();
        let found: Vec<_> = tickets.iter().filter_map(|ticket| list.due.remove(ticket)).collect();
        let kept: Vec<_> = list.kept.iter().filter_map(Weak::upgrade).collect();
        drop(list);
        kept.iter().filter(|hold| which(hold)).for_each(|hold| hold.hurry());
        for due in &found {
            if let Due::Hold(hold) = due {
                renew::look_now(hold);
            }
        }
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
        for due in due {
            match due {
                Due::Hold(hold) => renew::begin(&hold),
                // In a task of its own: it may run foreign wakers, and panic.
                Due::Call(call) => drop(tokio::spawn(async move { call() })),
                Due::Alarm(signal) => drop(tokio::spawn(async move { signal.fire() })),
            }
        }
        next
    }
}

/// Something to be called, until this is dropped.
pub(crate) struct Call {
    schedule: Arc<Schedule>,
    ticket: Ticket,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.schedule.remove(self.ticket);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicU32, Ordering},
            mpsc,
        },
        time::Instant,
    };

    use super::*;
    use crate::{background, park};

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn an_alarm_needs_no_executor_with_timers() {
        let begun = Instant::now();
        park::block_on(background::schedule().unwrap().alarm(SOON));
        assert!(begun.elapsed() >= SOON);
    }

    #[test]
    fn what_is_due_earlier_is_called_earlier_and_what_was_dropped_never() {
        let (send, called) = mpsc::channel();
        let schedule = background::schedule().unwrap();
        let call = |after: u32| {
            let send = send.clone();
            schedule.call(SOON * after, move || send.send(after).unwrap())
        };
        let calls: Vec<_> = [5, 1, 3].map(call).into_iter().collect();
        drop(call(2));
        let order: Vec<_> = (0..3).map(|_| called.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
        assert_eq!(order, [1, 3, 5]);
        drop(calls);
    }

    #[test]
    fn what_is_due_after_a_planned_look_wakes_nobody() {
        let schedule = Arc::new(Schedule::new());
        let wakes = Arc::new(AtomicU32::new(0));
        let counted = {
            let (schedule, wakes) = (Arc::clone(&schedule), Arc::clone(&wakes));
            background::spawn(async move {
                loop {
                    schedule.earlier.notified().await;
                    wakes.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let hour = Duration::from_hours(1);
        let planned = schedule.call(hour, || {});
        drop(planned);
        (0..100).for_each(|_| drop(schedule.call(hour * 2, || {})));
        drop(schedule.call(hour / 2, || {}));
        // In the order of the background thread, after all that it was woken for.
        while wakes.load(Ordering::SeqCst) == 0 {
            park::block_on(background::spawn(async {}).unwrap()).unwrap();
        }
        park::block_on(background::spawn(async {}).unwrap()).unwrap();
        assert!(wakes.load(Ordering::SeqCst) <= 2, "{wakes:?}");
        counted.unwrap().abort();
    }
}
