//! What waits that were given up leave behind.

use std::task::{Context, Waker};

use benches::{
    Result,
    report::{Demand, Row},
};
use lock::Locker;
use lockable::LockPool;

use crate::Effort;

const WAITS: u32 = 10_000;

pub(crate) fn measure(_: Effort) -> Result<Vec<Row>> {
    let locker = Locker::open("memory://bench-cancelled")?;
    let lockable = LockPool::<u32>::new();
    for number in 0..WAITS {
        let lock = locker.lock(format!("key:{number}"));
        given_up(lock.acquire()?, lock.acquire_async())?;
        given_up(lockable.blocking_lock(number), lockable.async_lock(number))?;
    }
    let (ours, theirs) = (locker.waiting_or_held(), lockable.num_locked());
    let value = f64::from(u32::try_from(ours)?);
    let mut row = Row::alone(
        "memory: keys left behind by 10,000 waits given up",
        ours.to_string(),
        value,
        Demand::AtMost(0.0),
    );
    row.beside = format!("{theirs} lockable");
    Ok(vec![row])
}

/// A wait that is given up just when its turn has come: nobody else will clean up behind it.
fn given_up<G, F: Future>(held: G, waiting: F) -> Result {
    let mut waiting = Box::pin(waiting);
    let begun = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(held);
    drop(waiting);
    if begun.is_ready() { Err("a held lock was had by another".into()) } else { Ok(()) }
}
