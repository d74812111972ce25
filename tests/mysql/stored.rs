//! What stands in the table: keys of any kind, each in a row of its own, and rows that are removed without a token going
//! back.

use lock_core::conformance::Side;

use crate::scene::{LONG, SIDES, Scene, acquire, eventually, release};

#[test]
fn keys_that_are_nearly_the_same_are_different_locks() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let long = "k".repeat(4_000);
    let keys: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "a\u{a0}",
        "ä",
        "a\u{308}",
        "Ä",
        "ß",
        "ss",
        "'",
        "\"",
        "`",
        "\\",
        "\\'",
        "';--",
        "%",
        "_",
        "?",
        ":id",
        "{table}",
        "\u{1f600}",
        "\u{1f601}",
        "\u{200b}",
        "ａ",
        "ﬁ",
        "fi",
        "0",
        "00",
        "0x41",
        "NULL",
        "\u{7ff}",
        "\u{10ffff}",
    ]
    .map(String::from)
    .into_iter()
    .chain([format!("{long}1"), format!("{long}2"), format!("{long} "), "ö".repeat(2_000)])
    .collect();
    let guards: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(place, key)| {
            acquire(&locker.lock(key.as_str()).blocking(false), SIDES[place % 2])
                .unwrap_or_else(|error| panic!("{key}: {error:?}"))
        })
        .collect();
    for key in &keys {
        assert!(scene.far().lock(key.as_str()).try_acquire().unwrap().is_none(), "{key}");
    }
    let mut held: Vec<String> = locker.held().unwrap().into_iter().map(|held| held.key.to_string()).collect();
    let mut expected: Vec<String> = keys.iter().map(|key| format!("lock:{key}")).collect();
    held.sort();
    expected.sort();
    assert_eq!(held, expected);
    guards.iter().for_each(|guard| guard.release().unwrap());
    assert!(locker.held().unwrap().is_empty());
}

#[test]
fn a_prefix_lists_its_own_keys_and_no_others() {
    let scene = Scene::new(LONG);
    let prefixes = ["a", "a ", "A", "ä", "a\u{308}", "a%", "a_"];
    let lockers: Vec<_> = prefixes
        .iter()
        .map(|prefix| {
            let mut settings = scene.settings.clone();
            settings.prefix = Some((*prefix).to_owned());
            crate::scene::client(&scene.server.url(), &settings)
        })
        .collect();
    let _guards: Vec<_> = lockers.iter().map(|locker| locker.lock(":k").acquire().unwrap()).collect();
    for (prefix, locker) in prefixes.iter().zip(&lockers) {
        let held: Vec<String> = locker.held().unwrap().into_iter().map(|held| held.key.to_string()).collect();
        let expected: Vec<String> = prefixes
            .iter()
            .filter(|other| other.starts_with(prefix))
            .map(|other| format!("{other}:k"))
            .collect();
        assert_eq!(held.len(), expected.len(), "{prefix:?}: {held:?}");
        assert!(expected.iter().all(|key| held.contains(key)), "{prefix:?}: {held:?}");
    }
}

#[test]
fn owners_that_are_nearly_the_same_are_different_owners() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let owners = ["a", "a ", "A", "ä", "a\u{308}", "a'b\\c`d\"", "\u{1f600}", "😀😀😀", &"o".repeat(255)];
    for owner in owners {
        let guard = locker.lock("k").owner(owner.parse().unwrap()).acquire().unwrap();
        assert_eq!(scene.owner("k").as_deref(), Some(owner));
        let holder = locker.lock("k").holder().unwrap().unwrap();
        assert_eq!(holder.owner.to_string(), owner);
        for other in owners.into_iter().filter(|other| *other != owner) {
            let taken_over = scene.far().lock("k").adopt(other.parse().unwrap());
            assert!(taken_over.unwrap_err().is_locked(), "{other} is not {owner}");
        }
        guard.extend(LONG * 2).unwrap();
        guard.release().unwrap();
        // A stale one changes nothing of its successor's.
        let successor = scene.far().lock("k").acquire().unwrap();
        assert!(guard.extend(LONG).is_err());
        assert_eq!(scene.owner("k"), Some(successor.owner().to_string()));
        successor.release().unwrap();
    }
}

/// What changes nothing in the row is nevertheless found there.
#[test]
fn a_renewal_that_makes_nothing_longer_is_no_loss() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    for side in SIDES {
        let guard = acquire(&locker.lock("k").ttl(LONG * 10).renew(false), side).unwrap();
        for _ in 0..3 {
            guard.extend(LONG).unwrap();
        }
        assert!(guard.is_held());
        release(&guard, side).unwrap();
    }
}

#[test]
fn rows_that_nobody_uses_are_removed_and_their_tokens_do_not_go_back() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let token = |key: &str| {
        let guard = locker.lock(key).acquire().unwrap();
        guard.release().unwrap();
        guard.fencing_token()
    };
    let before: Vec<u64> = ["old", "ahead", "fresh", "held"].map(token).to_vec();
    let _held = locker.lock("held").acquire().unwrap();
    let age = "expires_at = UTC_TIMESTAMP(6) - INTERVAL 25 HOUR";
    scene.ask(&format!("UPDATE lock_leases SET {age} WHERE `key` IN ('lock:old', 'lock:ahead')"));
    // More than are looked at in one step.
    scene.ask(
        "INSERT INTO lock_leases SELECT CONCAT('old', seq), 'old', 'o', seq, seq, NOW() - INTERVAL 3 DAY, \
         NOW() - INTERVAL 2 DAY, 'h', 1, '' FROM seq_1_to_2500",
    );
    // As if the clock had gone back since.
    scene.ask("UPDATE lock_leases SET last_token = last_token + 3600000000 WHERE `key` = 'lock:ahead'");
    // Each client does it with its first grant.
    scene.far().lock("other").acquire().unwrap().release().unwrap();
    let keys = || scene.rows("SELECT `key` FROM lock_leases ORDER BY `key`");
    assert!(eventually(LONG, || keys().len() == 4), "{:?}", keys());
    assert_eq!(keys(), ["lock:ahead", "lock:fresh", "lock:held", "lock:other"]);
    assert!(token("old") > before[0]);
    assert!(token("ahead") > before[1] + 3_600_000_000);
    assert!(token("fresh") > before[2]);
}

#[test]
fn a_row_is_found_by_its_key_alone() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    for number in 0..200 {
        acquire(&locker.lock(format!("{number}")), Side::Blocking).unwrap().release().unwrap();
    }
    // Text of a connection in utf8mb4, against a column in ascii.
    let plan = scene.rows(
        "PREPARE looked FROM 'EXPLAIN FORMAT=JSON UPDATE lock_leases SET pid = 1 WHERE id = ?'; \
         SET NAMES utf8mb4; SET @id = REPEAT('a', 64); EXECUTE looked USING @id",
    );
    assert!(plan.concat().contains("PRIMARY") && plan.concat().contains("\"rows\": 1,"), "{plan:?}");
}
