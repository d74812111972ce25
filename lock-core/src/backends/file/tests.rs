use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::{Error, Guard, Locker, park};

/// A directory of a test's own, removed at its end.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lock-file-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Another client of the same directory, with a queue and open files of its own.
    pub(super) fn locker(&self) -> Locker {
        Locker::with_backend(File::shared(&self.0))
    }

    pub(super) fn file_of(&self, name: &str) -> PathBuf {
        self.0.join(format!("lock%3a{name}"))
    }

    fn file_of_the_only_key(&self) -> PathBuf {
        std::fs::read_dir(&self.0).unwrap().next().unwrap().unwrap().path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits for the loss; a minute is for ever.
fn is_told(guard: &Guard) -> bool {
    let end = Instant::now() + Duration::from_mins(1);
    let told = crate::race::race(guard.lost(), async {
        crate::background::alarm(end).unwrap().await.unwrap();
    });
    matches!(park::block_on(told), crate::race::Either::First(()))
}

#[test]
fn a_holder_is_told_when_another_client_forces_the_release() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let guard = here.lock("k").acquire().unwrap();
    assert!(there.lock("k").force_release().unwrap());
    let next = there.lock("k").acquire().unwrap();
    assert!(next.fencing_token() > guard.fencing_token());
    assert!(is_told(&guard));
    assert!(!guard.is_held());
    assert!(guard.release().unwrap_err().is_lost());
    assert!(next.is_held(), "the release of the old guard does not touch its successor");
    assert!(here.lock("k").try_acquire().unwrap().is_none());
    assert!(!here.lock("other").force_release().unwrap());
}

#[test]
fn a_waiter_gets_a_lock_whose_release_was_forced() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let guard = here.lock("k").acquire().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| there.lock("k").acquire().unwrap().fencing_token());
        while !std::fs::read(place.file_of_the_only_key()).unwrap().starts_with(b"!") {
            thread::yield_now();
        }
        assert!(place.locker().lock("k").force_release().unwrap());
        assert!(waiter.join().unwrap() > guard.fencing_token());
    });
}

#[test]
fn a_holder_is_told_when_somebody_removes_the_file() {
    let place = Place::new();
    let locker = place.locker();
    let guard = locker.lock("k").acquire().unwrap();
    std::fs::remove_file(place.file_of_the_only_key()).unwrap();
    assert!(is_told(&guard));
    assert!(matches!(guard.check(), Err(Error::Lost { .. })));
    drop(guard);
    assert!(locker.lock("k").try_acquire().unwrap().is_some());
}

#[test]
fn a_waiter_follows_a_file_that_somebody_removes() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let guard = here.lock("k").acquire().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| there.lock("k").acquire().map(|next| next.fencing_token()));
        while !std::fs::read(place.file_of_the_only_key()).unwrap().starts_with(b"!") {
            thread::yield_now();
        }
        std::fs::remove_file(place.file_of_the_only_key()).unwrap();
        assert!(waiter.join().unwrap().unwrap() > guard.fencing_token());
    });
    assert!(is_told(&guard));
}

#[test]
fn a_directory_that_was_removed_is_made_anew() {
    let place = Place::new();
    let locker = place.locker();
    drop(locker.lock("k").acquire().unwrap());
    std::fs::remove_dir_all(&place.0).unwrap();
    let guard = locker.lock("k").acquire().unwrap();
    assert!(place.locker().lock("k").try_acquire().unwrap().is_none());
    drop(guard);
}

#[test]
fn a_lease_that_was_given_away_is_kept_for_its_owner() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let lock = here.lock("k").ttl(Duration::from_mins(1));
    let guard = lock.acquire().unwrap();
    let token = guard.fencing_token();
    let owner = guard.into_owner();
    assert!(here.lock("k").try_acquire().unwrap().is_none());
    let holder = there.lock("k").holder().unwrap().unwrap();
    assert!(holder.expires_in.is_some_and(|left| left <= Duration::from_mins(1)));
    assert!(there.lock("k").adopt("somebody else".parse().unwrap()).unwrap_err().is_locked());
    let guard = there.lock("k").adopt(owner.clone()).unwrap();
    assert_eq!((guard.owner(), guard.fencing_token()), (owner.clone(), token));
    guard.release().unwrap();
    assert!(here.lock("k").adopt(owner).unwrap_err().is_lost());
    assert!(here.lock("k").acquire().unwrap().fencing_token() > token);
}

#[test]
fn a_lease_that_nobody_adopts_ends_with_its_ttl() {
    let place = Place::new();
    let ttl = Duration::from_millis(300);
    let start = Instant::now();
    let _owner = place.locker().lock("k").ttl(ttl).acquire().unwrap().into_owner();
    let guard = place.locker().lock("k").acquire().unwrap();
    assert!(start.elapsed() >= ttl);
    drop(guard);
}

#[test]
fn the_token_survives_what_cannot_be_read() {
    let place = Place::new();
    let locker = place.locker();
    let first = locker.lock("k").acquire().unwrap().fencing_token();
    std::fs::write(place.file_of_the_only_key(), b"\xff\0garbage").unwrap();
    assert!(locker.lock("k").acquire().unwrap().fencing_token() > first);
    std::fs::write(place.file_of_the_only_key(), "#lock/1 18446744073709551615 - 1 1 0 - - - k\n").unwrap();
    let error = locker.lock("k").acquire().unwrap_err();
    assert!(error.to_string().contains("fencing tokens of this key are used up"), "{error}");
    assert!(!locker.lock("k").is_locked().unwrap());
}

#[test]
fn one_owner_may_wait_for_one_key_and_have_another() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let owner: crate::Owner = "worker-7".parse().unwrap();
    let blocker = there.lock("a").acquire().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| here.lock("a").owner(owner.clone()).acquire());
        while !std::fs::read(place.file_of("a")).unwrap().starts_with(b"!") {
            thread::yield_now();
        }
        let b = here.lock("b").owner(owner.clone()).try_acquire().unwrap();
        assert!(b.is_some_and(|b| b.key() == "lock:b"));
        drop(blocker);
        assert_eq!(waiter.join().unwrap().unwrap().key(), "lock:a");
    });
}

#[test]
fn a_release_that_was_forced_is_never_reported_as_ones_own() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    for _ in 0..50 {
        let guard = here.lock("k").acquire().unwrap();
        assert!(there.lock("k").force_release().unwrap());
        assert!(!guard.is_held());
        assert!(guard.release().unwrap_err().is_lost());
    }
}

#[test]
fn a_directory_that_was_moved_away_is_a_loss_for_its_holders() {
    let place = Place::new();
    let locker = place.locker();
    let guard = locker.lock("k").acquire().unwrap();
    let elsewhere = Place::new();
    std::fs::rename(&place.0, &elsewhere.0).unwrap();
    assert!(is_told(&guard));
    let next = place.locker().lock("k").acquire().unwrap();
    assert!(locker.lock("k").try_acquire().unwrap().is_none(), "both meet at the path");
    drop(next);
    // Notifications of the new directory begin with its first holder.
    let guard = locker.lock("k").acquire().unwrap();
    assert!(place.locker().lock("k").force_release().unwrap());
    assert!(is_told(&guard));
}

#[test]
fn an_adopting_future_that_is_dropped_leaves_nothing_held() {
    use std::{future::Future, pin::pin, task::Context};
    let place = Place::new();
    let owner = place.locker().lock("k").ttl(Duration::from_mins(10)).acquire().unwrap().into_owner();
    let lock = place.locker().lock("k");
    {
        let mut adopting = pin!(lock.adopt_async(owner));
        let _ = adopting.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }
    // It is given back, far sooner than its ttl ends.
    assert!(place.locker().lock("k").wait(Duration::from_mins(1)).acquire().is_ok());
}

#[test]
fn what_was_extended_stays_so_when_it_is_given_away() {
    let place = Place::new();
    let guard = place.locker().lock("k").ttl(Duration::from_secs(1)).acquire().unwrap();
    guard.extend(Duration::from_mins(10)).unwrap();
    let _owner = guard.into_owner();
    let left = place.locker().lock("k").holder().unwrap().unwrap().expires_in.unwrap();
    assert!(left > Duration::from_secs(500), "{left:?}");
}

#[test]
fn a_mark_that_nobody_stands_behind_does_not_turn_a_short_wait_away() {
    let place = Place::new();
    let locker = place.locker();
    let lock = locker.lock("k").wait(Duration::ZERO);
    for _ in 0..40 {
        drop(lock.acquire().unwrap());
        std::os::unix::fs::FileExt::write_all_at(
            &std::fs::File::options().write(true).open(place.file_of("k")).unwrap(),
            b"!",
            0,
        )
        .unwrap();
    }
}

#[test]
fn a_stranger_in_the_directory_does_not_spoil_the_list() {
    let place = Place::new();
    let locker = place.locker();
    let _guard = locker.lock("k").acquire().unwrap();
    std::fs::create_dir(place.0.join("stranger")).unwrap();
    std::os::unix::net::UnixListener::bind(place.0.join("socket")).unwrap();
    assert_eq!(locker.held().unwrap().len(), 1);
    assert_eq!(place.locker().held().unwrap().len(), 1);
}

#[test]
fn lockers_on_one_url_are_one_line_of_waiters() {
    let place = Place::new();
    let url = format!("file://{}", place.0.display());
    let (one, other) = (Locker::open(&url).unwrap(), Locker::open(&url).unwrap());
    let nested = one.lock("k").with(|_| other.lock("k").acquire().map(drop)).unwrap();
    assert!(matches!(nested, Err(Error::WouldDeadlock { .. })));
    let released =
        one.lock("k").with(|guard| guard.release().and_then(|()| one.lock("k").acquire().map(drop)));
    released.unwrap().unwrap();
}

#[test]
fn a_file_that_was_moved_away_is_a_loss_for_its_holder_and_is_not_used_again() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let guard = here.lock("k").acquire().unwrap();
    std::fs::rename(place.file_of("k"), place.0.join("elsewhere")).unwrap();
    assert!(is_told(&guard));
    let next = there.lock("k").acquire().unwrap();
    drop(guard);
    assert!(here.lock("k").try_acquire().unwrap().is_none());
    drop(next);
}

#[test]
fn a_forced_release_is_told_though_the_file_has_another_name() {
    let place = Place::new();
    let (here, there) = (place.locker(), place.locker());
    let guard = here.lock("k").acquire().unwrap();
    std::fs::hard_link(place.file_of("k"), place.0.join("backup")).unwrap();
    assert!(there.lock("k").force_release().unwrap());
    assert!(is_told(&guard));
    assert!(guard.release().unwrap_err().is_lost());
}
