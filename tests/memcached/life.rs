//! How long a lock lives: whole seconds of a clock that ticks, dates beyond 30 days, and a clock that stands still.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::Error;

use crate::scene::{FREED, LONG, SIDES, Scene, TTL, acquire, ms, running_since};

const DAY: Duration = Duration::from_hours(24);

fn left(scene: &Scene, name: &str) -> u64 {
    let said = scene.server.ask(&format!("mg {name} t"));
    said.strip_prefix("HD t").unwrap_or_else(|| panic!("{name}: {said}")).parse().unwrap()
}

#[test]
fn a_lock_for_more_than_thirty_days_does_not_vanish() {
    let scene = Scene::new(LONG);
    for days in [29, 30, 31, 365] {
        let ttl = DAY * days;
        let lock = scene.far().lock(format!("{days}")).ttl(ttl);
        let guard = lock.acquire().unwrap();
        for item in ["", "#holder"] {
            let left = left(&scene, &format!("lock:{days}{item}"));
            assert!((ttl.as_secs()..=ttl.as_secs() + 3).contains(&left), "{days} days: {left}");
        }
        assert!(left(&scene, &format!("lock:{days}#token")) > ttl.as_secs());
        guard.extend(ttl).unwrap();
        assert!(left(&scene, &format!("lock:{days}")) >= ttl.as_secs());
        assert!(scene.far().lock(format!("{days}")).try_acquire().unwrap().is_none());
        guard.release().unwrap();
    }
}

#[test]
fn what_the_server_cannot_keep_is_refused() {
    let scene = Scene::new(LONG);
    for wrong in [ms(999), DAY * 366] {
        let error = scene.far().lock("k").ttl(wrong).acquire().unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
        assert!(error.to_string().contains("accepts 1s to"), "{error}");
    }
}

#[test]
fn a_lease_that_nobody_keeps_is_free_within_two_seconds_of_its_ttl_and_not_before() {
    let scene = Scene::new(TTL);
    let late = thread::scope(|scope| {
        let rounds: Vec<_> = (0..16_u32)
            .map(|round| {
                let scene = &scene;
                scope.spawn(move || {
                    // At every phase of the server's second.
                    thread::sleep(ms(61) * round);
                    let ttl = TTL * (1 + round % 3);
                    let key = format!("{round}");
                    let guard = scene.far().lock(&key).ttl(ttl).acquire().unwrap();
                    let begin = Instant::now();
                    // Nobody gives it back from now on.
                    drop(guard.into_owner());
                    drop(scene.far().lock(&key).wait(LONG).acquire().unwrap());
                    let freed = begin.elapsed();
                    assert!(freed >= ttl, "free after {freed:?} of {ttl:?}");
                    (freed.saturating_sub(ttl), running_since(begin).saturating_sub(ttl))
                })
            })
            .collect();
        rounds.into_iter().map(|round| round.join().unwrap()).collect::<Vec<_>>()
    });
    let (worst, running) =
        (late.iter().map(|late| late.0).max().unwrap(), late.iter().map(|late| late.1).max().unwrap());
    tests::report(&format!(
        "memcached: leases of 1 to 3 s, free at most {worst:?} after their ttl, {running:?} without what the machine stalled"
    ));
    assert!(running <= FREED, "{running:?}");
}

/// What a stopped server is asked, it answers before it looks at its clock: without a check, such a grant is over at once.
#[test]
fn a_grant_of_a_server_whose_clock_stood_still_lasts() {
    for side in SIDES {
        let scene = Scene::new(Duration::from_secs(3));
        let lockers = [scene.far(), scene.far(), scene.far(), scene.far()];
        lockers.iter().for_each(|locker| drop(locker.lock("warm").acquire().unwrap()));
        for round in 0..3 {
            scene.server.stop();
            thread::sleep(Duration::from_secs(4));
            thread::scope(|scope| {
                let asked: Vec<_> = lockers
                    .iter()
                    .enumerate()
                    .map(|(number, locker)| {
                        let lock = locker.lock(format!("{round}-{number}")).wait(LONG);
                        scope.spawn(move || acquire(&lock, side).unwrap())
                    })
                    .collect();
                thread::sleep(ms(100));
                scene.server.go_on();
                for (number, asked) in asked.into_iter().enumerate() {
                    let guard = asked.join().unwrap();
                    // Longer than a tick.
                    thread::sleep(ms(300));
                    assert!(guard.is_held() && scene.is_held(&format!("{round}-{number}")), "gone at once");
                    guard.release().unwrap();
                }
            });
        }
    }
}
