//! What waits that were given up leave behind.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

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
        let held = lock.acquire()?;
        give_up(lock.acquire_async())?;
        drop(held);

        let held = lockable.blocking_lock(number);
        give_up(lockable.async_lock(number))?;
        drop(held);
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

/// Waits for a moment, then no more.
fn give_up<F: Future>(waiting: F) -> Result {
    match pin!(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => Ok(()),
        Poll::Ready(_) => Err("a held lock was had by another".into()),
    }
}
