//! Keeping a lease: renewing it in time, and telling when it could not be kept.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    background,
    clock::Moment,
    hold::{Leased, Phase, give_back},
};

/// Sleeps stand still while the machine is suspended, leases do not: so they are looked at again this soon afterwards.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Renews the lease whenever a third of its ttl has passed, until it is released or lost.
///
/// A renewal that fails is tried again until the deadline, each try with a time limit of its own; a renewal that
/// hangs therefore does not keep the next from being tried, nor the loss from being told in time.
pub(crate) async fn keep(hold: Arc<Leased>, renew: bool) {
    let ttl = hold.lease().ttl.get();
    let pause = (ttl / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
    while hold.phase() == Phase::Held {
        let deadline = hold.deadline();
        let left = deadline.until();
        if left.is_zero() {
            return lose(&hold, Loss::Late);
        }
        let due = if renew { left.saturating_sub(ttl * 2 / 3) } else { left };
        if !due.is_zero() {
            tokio::time::sleep(due.min(LONGEST_SLEEP)).await;
            continue;
        }
        match hold.renew_once(hold.lease().ttl, (ttl / 6).min(left)).await {
            Ok(true) => {}
            Ok(false) if hold.deadline().has_passed() => return lose(&hold, Loss::Late),
            Ok(false) => return lose(&hold, Loss::Taken),
            Err(error) => {
                tracing::debug!(key = %hold.lease().key, %error, "renewal failed, trying again");
                tokio::time::sleep(pause.min(hold.deadline().until())).await;
            }
        }
    }
}

/// Asks from time to time for a lease that does not run out, where the backend cannot tell that it was taken away.
pub(crate) async fn look_after(hold: Weak<Leased>) {
    while let Some(held) = hold.upgrade().filter(|hold| hold.phase() == Phase::Held) {
        if !held.is_kept() {
            return lose(&held, Loss::Taken);
        }
        let pause = (held.lease().ttl.get() / 3).min(LONGEST_SLEEP);
        drop(held);
        tokio::time::sleep(pause).await;
    }
}

/// How a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It could not be kept in time: what is left of it is a margin, and what a late answer may add.
    Late,
    /// It is not ours any more.
    Taken,
}

/// Tells that the lease is lost, and sees to it that nothing of it stays behind.
pub(crate) fn lose(hold: &Arc<Leased>, how: Loss) {
    if hold.end(Phase::Lost) != Phase::Held {
        return;
    }
    match how {
        Loss::Late => {
            tracing::warn!(key = %hold.lease().key, "lock lost: its lease could not be kept in time");
        }
        Loss::Taken => tracing::warn!(key = %hold.lease().key, "lock lost: somebody else may hold it"),
    }
    if how == Loss::Taken {
        hold.leave();
    }
    hold.lost().fire();
    let bound = hold.backend().capabilities().bound_to_process;
    let end = Moment::now().after(hold.lease().ttl.margin());
    let hold = Arc::clone(hold);
    let job = async move {
        if how == Loss::Late {
            // Its holder may still be at work: a lease is not cut short, only not left over.
            tokio::time::sleep(end.until()).await;
        }
        if !bound {
            hold.leave();
        }
        // A renewal without an answer may have had its effect after all.
        let _ = give_back(hold.backend(), hold.lease()).await;
        hold.leave();
    };
    if let Err(error) = background::spawn(job) {
        tracing::warn!(%error, "could not clean up after a lost lease");
    }
}
