//! How long a lock is held, and how its holder learns that it is not any more.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::{
    Case, case,
    pulse::{self, running_since},
    test::{RETRY, Test},
};
use crate::{clock::Moment, error::Error, guard::Guard};

/// How late a loss may be told, after the guard's deadline.
const TELLING: Duration = Duration::from_millis(50);

pub(super) const CASES: &[Case] = &[
    case!("a lease is renewed while it is held, for three ttls", nothing, renewed_for_three_ttls),
    case!("renewal stops with the release", nothing, renewal_stops_with_the_release),
    case!("a leaked guard that is not renewed ends by its ttl", nothing, a_leaked_guard_ends),
    case!("a guard dropped without release is renewed no more", nothing, dropped_without_release),
    case!("a loss is told by the deadline, and the guard knows it", nothing, a_loss_is_told),
    case!("a body that outlives its lease is cancelled", nothing, a_body_is_cancelled, only_async),
    case!("`lost` never fires on a normal release", nothing, lost_never_fires_on_release),
    case!("a lock taken away is told, and its successor keeps it", nothing, a_forced_release_is_told),
    case!("forcing a free lock does nothing", nothing, forcing_a_free_lock),
    case!("a guard counts its time down, less a margin", nothing, remaining_counts_down),
    case!("extend moves the deadline", nothing, extend_moves_the_deadline),
    case!("extend never shortens a lease", nothing, extend_never_shortens),
    case!("a stale guard cannot extend", nothing, a_stale_guard_cannot_extend),
    case!("a lease is handed over by its owner", hand_over, handed_over),
    case!("a lease is handed over to its owner only, and only while it lasts", hand_over, not_handed_over),
];

async fn renewed_for_three_ttls(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let other = test.client().lock("k");
    test.undisturbed(test.ttl() / 3, async |_| {
        let guard = test.acquire(&lock).await.unwrap();
        let begin = Instant::now();
        while begin.elapsed() < test.ttl() * 3 {
            test.sleep(test.ttl() / 10).await;
            let other_got_it = test.try_acquire(&other).await.unwrap().is_some();
            if !guard.is_held() || other_got_it {
                return Err(format!("lost after {:?}", begin.elapsed()));
            }
        }
        test.release(&guard).await.map_err(|error| error.to_string())
    })
    .await;
}

async fn renewal_stops_with_the_release(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let guard = test.acquire(&lock).await.unwrap();
    // In the middle of being renewed.
    test.sleep(test.ttl() / 3).await;
    let _ = test.release(&guard).await;
    let begin = Instant::now();
    while begin.elapsed() < test.ttl() {
        assert!(test.holder(&lock).await.unwrap().is_none());
        test.sleep(test.ttl() / 10).await;
    }
}

async fn a_leaked_guard_ends(test: Test) {
    let lock = test.client().lock("k");
    let asked = Instant::now();
    mem::forget(test.acquire(&lock.clone().ttl(test.ttl()).renew(false)).await.unwrap());
    let granted = Instant::now();
    drop(test.acquire(&test.client().lock("k")).await.unwrap());
    assert!(asked.elapsed() >= test.ttl());
    let late = running_since(granted).saturating_sub(test.ttl());
    assert!(late <= test.late(), "{late:?} late");
}

async fn dropped_without_release(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let guard = test.acquire(&lock.clone().release_on_drop(false)).await.unwrap();
    let dropped = Instant::now();
    drop(guard);
    assert!(test.try_acquire(&test.client().lock("k")).await.unwrap().is_none());
    drop(test.acquire(&test.client().lock("k")).await.unwrap());
    let late = running_since(dropped).saturating_sub(test.ttl());
    assert!(late <= test.late(), "{late:?} late");
}

/// Waits for the end of a guard, watching what it says of itself.
async fn ends_in_time(test: &Test, guard: &Guard) -> Duration {
    let deadline = Instant::now() + guard.remaining();
    assert!(test.is_lost_within(guard, test.ttl() * 3).await, "the loss was never told");
    let told = Instant::now();
    assert!(!guard.is_held() && guard.remaining().is_zero());
    assert!(guard.check().unwrap_err().is_lost());
    assert!(test.release(guard).await.unwrap_err().is_lost());
    told.saturating_duration_since(deadline)
}

async fn a_loss_is_told(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl()).renew(false);
    test.undisturbed(Duration::from_millis(20), async |_| {
        let guard = test.acquire(&lock).await.unwrap();
        let begin = Instant::now();
        let late = ends_in_time(&test, &guard).await.saturating_sub(pulse::stalled_since(begin));
        if late > TELLING { Err(format!("told {late:?} after the deadline")) } else { Ok(()) }
    })
    .await;
}

async fn a_body_is_cancelled(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl()).renew(false);
    let begin = Instant::now();
    let result = lock.with_async(async |_| std::future::pending::<()>().await).await;
    assert!(result.unwrap_err().is_lost());
    let late = running_since(begin).saturating_sub(test.ttl());
    assert!(late <= TELLING, "{late:?} late");
    test.expect_free(&lock).await;
}

async fn lost_never_fires_on_release(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    for renew in [true, false] {
        let guard = test.acquire(&lock.clone().renew(renew)).await.unwrap();
        assert!(!test.is_lost_within(&guard, Duration::from_millis(20)).await);
        let lost = guard.lost();
        test.release(&guard).await.unwrap();
        assert!(!guard.is_held());
        assert!(test.within(test.ttl() * 3 / 2, lost).await.is_none(), "fired, renew: {renew}");
        assert!(!test.is_lost_within(&guard, Duration::from_millis(10)).await);
    }
}

async fn a_forced_release_is_told(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let other = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    assert!(test.force_release(&other).await.unwrap());
    let begin = Instant::now();
    let successor = test.acquire(&other).await.unwrap();
    // At the next renewal, or at once.
    assert!(test.is_lost_within(&guard, test.ttl() * 2).await, "never told");
    let late = running_since(begin).saturating_sub(test.ttl() / 3);
    assert!(late <= TELLING * 2, "{late:?} late");
    assert!(!guard.is_held());
    assert!(test.release(&guard).await.unwrap_err().is_lost());
    drop(guard);
    assert!(successor.is_held());
    let holder = test.holder(&lock).await.unwrap().expect("held");
    assert_eq!(holder.owner, successor.owner());
    test.release(&successor).await.unwrap();
}

async fn forcing_a_free_lock(test: Test) {
    let lock = test.client().lock("k");
    assert!(!test.force_release(&lock).await.unwrap());
    test.release(&test.acquire(&lock).await.unwrap()).await.unwrap();
    assert!(!test.force_release(&lock).await.unwrap());
    test.expect_free(&lock).await;
}

async fn remaining_counts_down(test: Test) {
    let ttl = test.ttl();
    let guard = test.acquire(&test.client().lock("k").ttl(ttl).renew(false)).await.unwrap();
    let margin = (ttl / 100).max(Duration::from_millis(20));
    let first = guard.remaining();
    assert!(first + margin <= ttl, "{first:?}");
    let (begin, since) = (Moment::now(), Instant::now());
    test.sleep(ttl / 4).await;
    let (second, passed) = (guard.remaining(), Moment::now().since(begin));
    assert!(second <= first.saturating_sub(ttl / 4), "{second:?} after {first:?}");
    assert!(second + passed + Duration::from_millis(100) + pulse::stalled_since(since) >= first);
}

async fn extend_moves_the_deadline(test: Test) {
    let ttl = test.ttl();
    let lock = test.client().lock("k").ttl(ttl).renew(false);
    test.undisturbed(ttl / 4, async |_| {
        let guard = test.acquire(&lock).await.unwrap();
        test.sleep(ttl / 2).await;
        let asked = Instant::now();
        test.extend(&guard, ttl * 2).await.map_err(|error| error.to_string())?;
        assert!(guard.remaining() <= ttl * 2 && guard.remaining() > ttl, "{:?}", guard.remaining());
        let next = test.acquire(&test.client().lock("k")).await.unwrap();
        assert!(asked.elapsed() >= ttl * 2 && !guard.is_held(), "after {:?}", asked.elapsed());
        test.release(&next).await.map_err(|error| error.to_string())
    })
    .await;
}

async fn extend_never_shortens(test: Test) {
    let ttl = test.ttl();
    for renew in [true, false] {
        let guard = test.acquire(&test.client().lock("k").ttl(ttl * 20).renew(renew)).await.unwrap();
        test.extend(&guard, ttl).await.unwrap();
        assert!(guard.remaining() > ttl * 10, "{:?}", guard.remaining());
        test.sleep(ttl + RETRY).await;
        assert!(guard.is_held());
        assert!(test.try_acquire(&test.client().lock("k")).await.unwrap().is_none());
        test.release(&guard).await.unwrap();
    }
}

async fn a_stale_guard_cannot_extend(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let stale = test.acquire(&lock.clone().renew(false)).await.unwrap();
    let successor = test.acquire(&test.client().lock("k").ttl(test.ttl())).await.unwrap();
    assert!(test.extend(&stale, test.ttl() * 10).await.unwrap_err().is_lost());
    assert!(!stale.is_held() && successor.is_held());
    test.release(&successor).await.unwrap();
    assert!(test.extend(&successor, test.ttl()).await.unwrap_err().is_lost());
    test.expect_free(&lock).await;
}

async fn handed_over(test: Test) {
    let (ours, theirs) = (test.client(), test.client());
    let guard = test.acquire(&ours.lock("k").ttl(test.ttl() * 4)).await.unwrap();
    let token = guard.fencing_token();
    let owner = guard.into_owner();
    assert!(test.try_acquire(&theirs.lock("k")).await.unwrap().is_none());
    let adopted = test.adopt(&theirs.lock("k"), owner.clone()).await.unwrap();
    assert!(adopted.is_held() && adopted.owner() == owner && adopted.fencing_token() >= token);
    assert!(test.try_acquire(&ours.lock("k")).await.unwrap().is_none());
    test.sleep(test.ttl()).await;
    test.release(&adopted).await.unwrap();
    test.expect_free(&ours.lock("k")).await;
}

async fn not_handed_over(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let stranger = crate::Owner::random().unwrap();
    let error = test.adopt(&lock, stranger.clone()).await.unwrap_err();
    assert!(error.is_lost(), "{error}");
    let guard = test.acquire(&lock).await.unwrap();
    let error = test.adopt(&test.client().lock("k"), stranger).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let owner = guard.into_owner();
    drop(test.acquire(&test.client().lock("k")).await.unwrap());
    let error = test.adopt(&lock, owner).await.unwrap_err();
    assert!(error.is_lost() || error.is_locked(), "{error}");
    test.expect_free(&lock).await;
}
