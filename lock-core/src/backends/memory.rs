//! `memory://`: the threads and tasks of this process.
//!
//! The queue that stands in front of every backend is the whole of it: no input or output, no background thread, and
//! nothing is left of a key that nobody holds or awaits. A lease lasts as long as its guard, or, without renewal, as
//! long as its ttl. Fencing tokens begin at the microseconds since 1970 and count up, so that they grow over restarts
//! of the process as well, unless the clock was set back or it granted a million locks a second for its whole life.

use std::sync::Arc;

use crate::{
    clock::Moment,
    lease::{Holder, Owner},
    queue::{Hashed, Queue, Turn},
    shared::Shared,
};

/// The queue behind `memory://name`, shared by all who ask for it while anybody uses it.
///
/// Two lockers on the same URL must exclude each other, as they do on every other store.
pub(crate) fn space(name: &str) -> Arc<Queue> {
    static SPACES: Shared<Queue> = Shared::new();
    SPACES.get(name, Queue::new)
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
