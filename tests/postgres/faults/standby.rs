//! A primary that is gone, and a standby that is promoted in its place.

use std::time::Instant;

use lock::Error;
use tests::{
    faults::{again, assert_is_about_the_store, for_both_sides},
    figures::Figures,
    servers::PostgresServer,
};

use crate::scene::{FREED, LONG, acquire, client, eventually, lost_within, release};

#[test]
fn a_standby_that_is_promoted_knows_who_holds_and_its_tokens_grow() {
    for_both_sides::<PostgresServer>("primaries gone and standbys promoted", LONG, |scene, side| {
        let mut figures = Figures::default();
        let primary = &scene.server;
        let lock = scene.far().lock("k");
        // Several tokens a microsecond ahead of the time of day, as after many hand-overs.
        release(&acquire(&lock, side).unwrap(), side).unwrap();
        scene.ask("UPDATE lock_leases SET last_token = last_token + 3600000000::bigint * 1000");
        let guard = acquire(&lock, side).unwrap();
        scene.journal.acquired(&guard);
        let standby = PostgresServer::standby_of(primary);
        let seen = || standby.session().ask("SELECT owner FROM lock_leases WHERE key = 'lock:k'").unwrap();
        assert!(eventually(LONG, || seen() == [guard.owner().to_string()]));
        let there = client(&standby.url(), &scene.settings);
        let error = acquire(&there.lock("k"), side).unwrap_err();
        assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error:?}");
        assert!(format!("{error:?}").contains("primary"), "{error:?}");
        primary.kill9();
        figures.faults += 1;
        let begin = Instant::now();
        standby.ask("SELECT pg_promote()");
        assert!(again_refused(&there, side), "held on the primary, free on the standby");
        let heir = there.lock("k").adopt(guard.owner()).unwrap();
        assert!(heir.fencing_token() >= guard.fencing_token());
        assert_eq!(lost_within(&heir, FREED), None);
        scene.journal.releasing(&guard);
        release(&heir, side).unwrap();
        let (next, _) = again(&there.lock("k"), side);
        figures.reacquired(begin.elapsed());
        assert!(next.fencing_token() > guard.fencing_token());
        scene.journal.acquired(&next);
        scene.journal.releasing(&next);
        release(&next, side).unwrap();
        figures
    });
}

/// One attempt, once the standby has been promoted.
fn again_refused(locker: &lock::Locker, side: lock_core::conformance::Side) -> bool {
    let begin = Instant::now();
    loop {
        match acquire(&locker.lock("k").blocking(false), side) {
            Ok(_) => return false,
            Err(error) if error.is_locked() => return true,
            Err(error) => assert_is_about_the_store(&error),
        }
        assert!(begin.elapsed() < LONG, "never promoted");
    }
}
