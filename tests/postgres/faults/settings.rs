//! What an administrator may have set.

use std::{thread, time::Instant};

use lock_core::conformance::Side;
use tests::report;

use crate::scene::{LONG, SIDES, Scene, acquire, client, ms, release, running_since};

/// Whatever an administrator has set for the role, and for the database: each is wrong for a lock.
#[test]
fn settings_of_the_role_change_nothing() {
    for setting in [
        "lock_timeout = '1ms'",
        "lock_timeout = '1h'",
        "statement_timeout = '20ms'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_isolation = 'repeatable read'",
        "default_transaction_deferrable = on",
        "standard_conforming_strings = off",
        "search_path = nowhere, public",
        "timezone = 'Pacific/Kiritimati'",
        "datestyle = 'German'",
        "synchronous_commit = off",
        "row_security = off",
        "jit = on",
    ] {
        let scene = Scene::new(LONG);
        scene.ask(&format!(
            "CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app; ALTER ROLE app SET {setting}"
        ));
        let url = scene.server.url().replace("postgres@", "app@");
        let begin = Instant::now();
        thread::scope(|scope| {
            for number in 0..4 {
                let (scene, url) = (&scene, &url);
                scope.spawn(move || {
                    let lock = client(url, &scene.settings).lock("k");
                    for _ in 0..25 {
                        let side = SIDES[number % 2];
                        let guard =
                            acquire(&lock, side).unwrap_or_else(|error| panic!("{setting}: {error:?}"));
                        scene.journal.acquired(&guard);
                        scene.journal.releasing(&guard);
                        release(&guard, side).unwrap();
                    }
                });
            }
        });
        report(&format!("postgres: 100 holds of 4 clients with {setting} in {:?}", begin.elapsed()));
        scene.journal.history().assert_right();
        let lock = client(&url, &scene.settings).lock("k");
        release(&acquire(&lock, Side::Blocking).unwrap(), Side::Blocking).unwrap();
        // A transaction of somebody else is waited for as long as we say.
        let mut other = scene.server.session();
        other.ask("BEGIN; SELECT 1 FROM lock_leases FOR UPDATE").unwrap();
        let begin = Instant::now();
        assert!(acquire(&lock.clone().blocking(false), Side::Blocking).unwrap_err().is_locked(), "{setting}");
        assert!(running_since(begin) <= ms(500), "{setting}: {:?}", begin.elapsed());
    }
}
