//! `memory://`: the threads and tasks of this process.
//!
//! The queue that stands in front of every backend is the whole of it: no input or output, no background thread, and
//! nothing is left of a key that nobody holds or awaits. A lease lasts as long as its guard, or, without renewal, as
//! long as its ttl. Fencing tokens begin at the microseconds since 1970 and count up, so that they grow over restarts
//! of the process as well, unless the clock was set back or it granted a million locks a second for its whole life.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    clock::Moment,
    lease::{Holder, Owner},
    queue::{Hashed, Queue, Turn},
};

/// The queue behind `memory://name`, shared by all who ask for it.
///
/// Two lockers on the same URL must exclude each other, as they do on every other store. It stays when nobody uses it:
/// one that is made anew would begin its tokens at the clock, which the old one may have overtaken.
pub(crate) fn space(name: &str) -> Arc<Queue> {
    static SPACES: Mutex<BTreeMap<String, Arc<Queue>>> = Mutex::new(BTreeMap::new());
    let mut spaces = SPACES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(spaces.entry(name.to_owned()).or_insert_with(|| Arc::new(Queue::new())))
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
    use crate::{key::Key, park};

    #[test]
    fn tokens_do_not_go_back_when_a_space_is_opened_again() {
        let mut last = 0;
        for _ in 0..3 {
            let queue = space("tests-reopened");
            let key = queue.hashed(Key::from("k"));
            // Far more than the clock counts meanwhile would take minutes; that it is the same one says it all.
            let turn = park::block_on(queue.enter(&key));
            assert!(turn == last + 1 || last == 0);
            queue.leave(&key, turn);
            last = turn;
        }
    }
}
