//! Keeping a lease: renewing it in time, and telling when it could not be kept.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{
    background,
    clock::Moment,
    hold::{Leased, Phase, give_back},
    race::{Either, race},
    schedule::LONGEST_SLEEP,
};

/// When a hold is to be looked after first: a third of its ttl after it was asked for, or, without renewal, at its end.
pub(crate) fn first_due(hold: &Leased) -> Moment {
    if hold.renews() { hold.deadline().before(hold.lease().ttl.get() * 2 / 3) } else { hold.deadline() }
}

/// Looks after a hold that has become due. On the background thread.
pub(crate) fn begin(hold: &Arc<Leased>) {
    hold.kept_by(&tokio::spawn(keep(Arc::clone(hold), false)));
}

/// Asks the store at once whether a lease is still there, and looks after it from then on.
pub(crate) fn look_now(hold: &Arc<Leased>) {
    let looking = Arc::clone(hold);
    let job = background::spawn(async move {
        if !looking.renews() {
            let ttl = looking.lease().ttl;
            if let Ok(false) = looking.renew_once(ttl, ttl.get() / 6).await {
                lose(&looking, Loss::Taken);
            }
        }
        keep(looking, true).await;
    });
    match job {
        Ok(job) => hold.kept_by(&job),
        Err(error) => tracing::warn!(%error, "could not look after a lease"),
    }
}

/// Renews the lease whenever a third of its ttl has passed, and at once where it is `doubted`, until it is released or
/// lost.
///
/// A renewal that fails is tried again until the deadline, each try with a time limit of its own; a renewal that
/// hangs therefore does not keep the next from being tried, nor the loss from being told in time.
async fn keep(hold: Arc<Leased>, mut doubted: bool) {
    if let Ok(schedule) = background::schedule() {
        schedule.is_kept(&hold);
    }
    let ttl = hold.lease().ttl.get();
    let pause = (ttl / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
    while hold.phase() == Phase::Held {
        let deadline = hold.deadline();
        let left = deadline.until();
        if left.is_zero() {
            return lose(&hold, Loss::Late);
        }
        let due = match hold.renews() {
            true if doubted => Duration::ZERO,
            true => left.saturating_sub(ttl * 2 / 3),
            false => left,
        };
        if !due.is_zero() {
            let asleep = tokio::time::sleep(due.min(LONGEST_SLEEP));
            doubted = matches!(race(hold.hurried(), asleep).await, Either::First(()));
            continue;
        }
        match hold.renew_once(hold.lease().ttl, (ttl / 6).min(left)).await {
            Ok(true) => doubted = false,
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
        hold.give_back_again_if_doubtful();
    };
    if let Err(error) = background::spawn(job) {
        tracing::warn!(%error, "could not clean up after a lost lease");
    }
}
