use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::{Error, Guard, Locker, park};

/// A directory of a test's own, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lock-file-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Another client of the same directory, with a queue and open files of its own.
    fn locker(&self) -> Locker {
        Locker::with_backend(File::shared(&self.0))
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
    std::fs::write(place.file_of_the_only_key(), "#lock/1 18446744073709551615 - 1 1 0 - - k\n").unwrap();
    let error = locker.lock("k").acquire().unwrap_err();
    assert!(error.to_string().contains("fencing tokens of this key are used up"), "{error}");
    assert!(!locker.lock("k").is_locked().unwrap());
}
