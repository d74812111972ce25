//! `memory://`: the threads and tasks of this process.
//!
//! The queue that stands in front of every backend is the whole of it: no input or output, no background thread, and
//! nothing is left of a key that nobody holds or awaits. A lease lasts as long as its guard, or, without renewal, as
//! long as its ttl. Fencing tokens begin at the microseconds since 1970, or above those of every space that was
//! dropped, and count up, so that they grow over restarts of the process as well, unless the clock was set back or it
//! granted a million locks a second for its whole life.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{Ordering, fence},
    },
    thread,
};

use crate::{
    clock::Moment,
    lease::{Holder, Owner},
    queue::{Hashed, Queue, Turn},
};

/// The queue behind `memory://name`, shared by all who ask for it while anybody uses it.
///
/// Two lockers on the same URL must exclude each other, as they do on every other store.
pub(crate) fn space(name: &str) -> Arc<Queue> {
    static SPACES: Mutex<Option<HashMap<String, Space>>> = Mutex::new(None);
    let mut spaces = SPACES.lock().unwrap_or_else(PoisonError::into_inner);
    let spaces = spaces.get_or_insert_default();
    if let Some(space) = spaces.get(name) {
        if let Some(known) = space.queue.upgrade() {
            return known;
        }
        // Another thread drops it at this moment; its tokens must count.
        while space.unsettled.strong_count() > 0 {
            thread::yield_now();
        }
        // The count is read relaxed; what was written before it fell must be seen.
        fence(Ordering::Acquire);
    }
    spaces.retain(|_, space| space.unsettled.strong_count() > 0);
    let queue = Arc::new(Queue::new());
    let space = Space { queue: Arc::downgrade(&queue), unsettled: queue.unsettled() };
    spaces.insert(name.to_owned(), space);
    queue
}

struct Space {
    queue: Weak<Queue>,
    unsettled: Weak<()>,
}

/// The owner of a turn. Within one process the turn tells holders apart; nothing is stored elsewhere.
pub(crate) fn owner(queue: &Queue, key: &Hashed, turn: Turn) -> Owner {
    queue.owner(key, turn).unwrap_or_else(|| Owner::from_bits(queue.salt() | u128::from(turn)))
}

pub(crate) fn holder(queue: &Queue, key: &Hashed) -> Option<Holder> {
    queue.current(key).map(|(turn, expiry)| describe(queue, key, turn, expiry))
}

pub(crate) fn held(queue: &Queue, prefix: &str) -> Vec<Holder> {
    let all = queue.all().into_iter().filter(|(key, ..)| key.key().as_str().starts_with(prefix));
    all.map(|(key, turn, expiry)| describe(queue, &key, turn, expiry)).collect()
}

fn describe(queue: &Queue, key: &Hashed, turn: Turn, expiry: Moment) -> Holder {
    let mut holder = Holder::new(key.key().clone(), owner(queue, key, turn));
    holder.fencing_token = Some(turn);
    holder.pid = Some(std::process::id());
    holder.expires_in = (expiry != Moment::NEVER).then(|| expiry.until());
    holder
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::{clock, key::Key, park};

    fn turn(queue: &Arc<Queue>) -> Turn {
        let key = queue.hashed(Key::from("k"));
        let turn = park::block_on(queue.enter(&key));
        queue.leave(&key, turn);
        turn
    }

    #[test]
    fn tokens_do_not_go_back_when_a_space_is_opened_again() {
        let mut last = 0;
        for _ in 0..3 {
            let queue = space("tests-reopened");
            assert!(turn(&queue) > last);
            // As if it had granted more than a million a second for a while.
            queue.skip(&queue.hashed(Key::from("k")), clock::unix_micros() + 10_000_000);
            last = turn(&queue);
        }
    }

    #[test]
    fn tokens_do_not_go_back_while_another_thread_drops_the_space() {
        let last = Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let before = *last.lock().unwrap();
                        let queue = space("tests-dropped");
                        let mut turn = turn(&queue);
                        assert!(turn > before, "{turn} after {before}");
                        turn += 1_000_000;
                        queue.skip(&queue.hashed(Key::from("k")), turn);
                        let mut last = last.lock().unwrap();
                        *last = turn.max(*last);
                        drop(last);
                        drop(queue);
                    }
                });
            }
        });
    }
}
