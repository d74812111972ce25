//! Users who may do little, servers that are set up otherwise, and what people are told when it does not work.

use std::{thread, time::Instant};

use lock::{Error, Locker};
use lock_core::{backends::mysql::CREATE_TABLE, conformance::Side};
use tests::{
    report,
    servers::{MariaDbServer, free_port},
};

use crate::scene::{LONG, SIDES, Scene, acquire, client, eventually, ms, release, running_since};

/// The table as a migration makes it, and a user with the permissions that the page of the backend lists.
fn let_in(scene: &Scene, user: &str, permissions: &str) {
    scene.ask(&format!(
        "{}; CREATE USER {user}@127.0.0.1 IDENTIFIED BY 'secret-word'; GRANT {permissions} ON shop.lock_leases TO {user}@127.0.0.1",
        CREATE_TABLE.replace("{table}", "lock_leases")
    ));
}

/// The list on the page of the backend.
fn documented() -> &'static str {
    let page = include_str!("../../lock-core/src/backends/mysql/mod.rs");
    let list = page.split_once("`GRANT ").expect("the list of permissions").1;
    list.split_once(" ON shop.lock_leases").expect("the table").0
}

#[test]
fn the_documented_permissions_are_enough() {
    let scene = Scene::new(LONG);
    let_in(&scene, "small", documented());
    let locker = scene.as_user("small:secret-word");
    let other = scene.as_user("small:secret-word");
    for side in SIDES {
        let guard = acquire(&locker.lock("k"), side).unwrap();
        guard.extend(LONG).unwrap();
        assert_eq!(locker.held().unwrap().len(), 1);
        assert!(other.lock("k").is_locked().unwrap());
        let waiting = other.lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&waiting, side).unwrap().release().unwrap());
            scene.wait_in_line("k", 1);
            release(&guard, side).unwrap();
            waiter.join().unwrap();
        });
        assert!(acquire(&other.lock("k").wait(ms(1)), side).is_ok_and(|guard| guard.release().is_ok()));
        let owner = acquire(&locker.lock("k"), side).unwrap().into_owner();
        other.lock("k").adopt(owner).unwrap().release().unwrap();
        let _held = acquire(&locker.lock("forced"), side).unwrap();
        assert!(other.lock("forced").force_release().unwrap());
        locker.ping().unwrap();
    }
}

#[test]
fn without_delete_everything_but_the_pruning_works() {
    let scene = Scene::new(LONG);
    let_in(&scene, "small", "SELECT, INSERT, UPDATE");
    let locker = scene.as_user("small:secret-word");
    acquire(&locker.lock("k"), Side::Blocking).unwrap().release().unwrap();
    acquire(&locker.lock("k"), Side::Async).unwrap().release().unwrap();
}

#[test]
fn a_missing_permission_is_named_with_what_it_takes() {
    let scene = Scene::new(LONG);
    for (user, permissions) in
        [("reader", "SELECT"), ("writer", "SELECT, INSERT"), ("blind", "INSERT, UPDATE")]
    {
        let_in(&scene, user, permissions);
        let locker = scene.as_user(&format!("{user}:secret-word"));
        let error = if user == "blind" {
            locker.lock("k").is_locked().unwrap_err()
        } else {
            acquire(&locker.lock("k"), Side::Blocking).unwrap_err()
        };
        assert_is_permanent(&error, &["command denied", "needs SELECT, INSERT, UPDATE and DELETE", user]);
    }
    // Who sees the database but no table in it, and may not make one.
    scene.ask(
        "DROP TABLE lock_leases; CREATE TABLE other (n INT); GRANT SELECT ON shop.other TO reader@127.0.0.1",
    );
    let error = acquire(&scene.as_user("reader:secret-word").lock("k"), Side::Async).unwrap_err();
    assert_is_permanent(&error, &["command denied", "CREATE to make it"]);
    scene.ask("CREATE USER maker@127.0.0.1; GRANT SELECT, INSERT, UPDATE ON shop.* TO maker@127.0.0.1");
    let error = acquire(&scene.as_user("maker").lock("k"), Side::Blocking).unwrap_err();
    assert_is_permanent(&error, &["CREATE command denied", "CREATE to make it", "lock_leases"]);
}

#[test]
fn who_is_not_let_in_is_told_and_the_password_is_not_shown() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE USER known@127.0.0.1 IDENTIFIED BY 'right'; GRANT ALL ON shop.* TO known@127.0.0.1");
    let nowhere = scene.url_of("known:right").replace("/shop", "/nowhere");
    for (url, said) in [
        (scene.url_of("known:hunter2"), "Access denied"),
        (scene.url_of("nobody:hunter2"), "Access denied"),
        (scene.url_of("known"), "Access denied"),
        (nowhere, "Access denied"),
        (scene.server.url().replace("/shop", "/nowhere").replace("app@", "root@"), "Unknown database"),
        (scene.url_of("known:right") + "?ssl-mode=required", "TLS"),
    ] {
        let locker = Locker::open(&url).unwrap();
        for error in [
            acquire(&locker.lock("k"), Side::Blocking).unwrap_err(),
            acquire(&locker.lock("k"), Side::Async).unwrap_err(),
            locker.ping().unwrap_err(),
        ] {
            assert_is_permanent(&error, &[said, &scene.server.port().to_string()]);
            let text = format!("{error} {error:?} {locker:?}");
            assert!(!text.contains("hunter2") && !text.contains("right"), "{text}");
        }
    }
}

fn assert_is_permanent(error: &Error, said: &[&str]) {
    assert!(matches!(error, Error::Backend { .. }) && !error.is_retryable(), "{error:?}");
    for said in said {
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(!format!("{error:?}").contains("secret-word"), "{error:?}");
}

#[test]
fn a_server_that_is_not_there_is_an_error_soon_and_a_lock_later() {
    let port = free_port();
    let locker = Locker::open(&format!("mysql://app:hunter2@127.0.0.1:{port}/shop?retry=20ms")).unwrap();
    for side in SIDES {
        let begin = Instant::now();
        let error = acquire(&locker.lock("k"), side).unwrap_err();
        assert!(running_since(begin) < ms(1000), "told after {:?}", begin.elapsed());
        assert!(matches!(error, Error::Backend { .. }) && error.is_retryable(), "{error}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn the_table_has_the_name_that_it_is_given_and_no_other() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE DATABASE elsewhere; GRANT ALL ON elsewhere.* TO app@127.0.0.1");
    for (name, database, table) in [
        ("Locks_2", "shop", "Locks_2"),
        ("elsewhere.locks", "elsewhere", "locks"),
        ("select", "shop", "select"),
    ] {
        let url = format!("{}?table={name}", scene.server.url());
        acquire(&client(&url, &scene.settings).lock("k"), Side::Blocking).unwrap().release().unwrap();
        assert_eq!(scene.number(&format!("SELECT CAST(COUNT(*) AS CHAR) FROM `{database}`.`{table}`")), 1);
    }
    assert_eq!(scene.rows("SHOW TABLES IN shop LIKE 'lock_leases'"), [""; 0]);
    for wrong in ["a%60b", "a;b", "a.b.c", "", "a%20b"] {
        let error = Locker::open(&format!("{}?table={wrong}", scene.server.url())).unwrap_err();
        assert!(error.to_string().contains("accepted are letters"), "{error}");
    }
}

#[test]
fn a_table_that_is_another_one_is_an_error_that_says_so() {
    let scene = Scene::new(LONG);
    scene.ask("CREATE TABLE lock_leases (id CHAR(64) PRIMARY KEY)");
    let error = acquire(&scene.as_user("app").lock("k"), Side::Blocking).unwrap_err();
    assert_is_permanent(&error, &["another one than this version of the library makes"]);
}

/// One that takes every statement, and keeps no lock: of a migration that was written anew.
#[test]
fn a_table_in_which_a_key_could_be_held_twice_is_refused() {
    let scene = Scene::new(LONG);
    for (ours, theirs, said) in [
        (" PRIMARY KEY", "", "primary key"),
        ("pid         BIGINT NOT NULL", "pid BIGINT NOT NULL UNIQUE", "primary key"),
        ("PRIMARY KEY, --", ", PRIMARY KEY (id, pid), --", "primary key"),
        ("DATETIME(6)", "DATETIME", "DATETIME(6)"),
    ] {
        let create = CREATE_TABLE.replace("{table}", "lock_leases");
        assert!(create.contains(ours), "{ours}");
        scene.ask(&create.replace(ours, theirs));
        for side in SIDES {
            let error = acquire(&scene.as_user("app").lock("k"), side).unwrap_err();
            assert_is_permanent(&error, &["another one than this version of the library makes", said]);
        }
        scene.ask("DROP TABLE lock_leases");
    }
    let elsewhere = format!("{}?table=other.leases", scene.server.url());
    scene.ask("CREATE DATABASE other; GRANT ALL ON other.* TO app@127.0.0.1");
    scene.ask(&CREATE_TABLE.replace("{table}", "other.leases").replace(" PRIMARY KEY", ""));
    let error = acquire(&client(&elsewhere, &scene.settings).lock("k"), Side::Blocking).unwrap_err();
    assert_is_permanent(&error, &["primary key"]);
}

/// By `LOCK TABLES`, a backup or an `ALTER TABLE`: the server's default is to keep statements waiting for a day.
#[test]
fn a_table_that_somebody_keeps_is_held_and_neither_an_error_nor_a_hang() {
    let scene = Scene::new(LONG);
    let lock = scene.far().lock("k");
    acquire(&lock, Side::Blocking).unwrap().release().unwrap();
    for keep in ["LOCK TABLES lock_leases WRITE", "FLUSH TABLES WITH READ LOCK"] {
        let mut other = scene.server.session();
        other.ask(keep).unwrap();
        for side in SIDES {
            let error = acquire(&lock.clone().blocking(false), side).unwrap_err();
            assert!(error.is_locked(), "{keep}: {error:?}");
        }
        other.ask("UNLOCK TABLES").unwrap();
        acquire(&lock.clone().wait(LONG), Side::Blocking).unwrap().release().unwrap();
    }
}

#[test]
fn a_table_that_is_dropped_is_made_again_and_tokens_grow() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let guard = acquire(&locker.lock("k"), Side::Blocking).unwrap();
    scene.ask("DROP TABLE lock_leases");
    let successor = acquire(&locker.lock("l"), Side::Async).unwrap();
    assert!(successor.fencing_token() > guard.fencing_token());
    assert!(release(&guard, Side::Blocking).unwrap_err().is_lost());
    release(&successor, Side::Blocking).unwrap();
}

/// Four clients on one key; nothing that is set for the server makes a lock of it that is none.
fn contend(scene: &Scene, what: &str) {
    let begin = Instant::now();
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                let lock = scene.far().lock("k");
                for _ in 0..25 {
                    let side = SIDES[number % 2];
                    let guard = acquire(&lock, side).unwrap_or_else(|error| panic!("{what}: {error:?}"));
                    scene.journal.acquired(&guard);
                    scene.journal.releasing(&guard);
                    release(&guard, side).unwrap();
                }
            });
        }
    });
    report(&format!("mysql: 100 holds of 4 clients with {what} in {:?}", begin.elapsed()));
    scene.journal.history().assert_right();
}

#[test]
fn settings_of_the_server_change_nothing() {
    let scene = Scene::new(LONG);
    for setting in [
        "sql_mode = ''",
        "sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,PAD_CHAR_TO_FULL_LENGTH'",
        "sql_mode = 'SIMULTANEOUS_ASSIGNMENT'",
        "sql_mode = 'ORACLE,EMPTY_STRING_IS_NULL'",
        "sql_mode = 'TRADITIONAL,NO_UNSIGNED_SUBTRACTION'",
        "time_zone = '+13:00'",
        "tx_isolation = 'SERIALIZABLE'",
        "tx_isolation = 'READ-UNCOMMITTED'",
        "autocommit = 0",
        "innodb_lock_wait_timeout = 1000",
        "sql_safe_updates = 1",
        "wait_timeout = 1",
        "collation_connection = 'utf8mb4_general_ci', character_set_client = 'latin1'",
        "collation_server = 'latin1_swedish_ci'",
        "completion_type = 'CHAIN'",
        "init_connect = 'SET autocommit = 0, time_zone = ''-11:00'''",
    ] {
        scene.ask(&format!("SET GLOBAL {setting}"));
        contend(&scene, setting);
        let name = setting.split(" =").next().unwrap();
        if name == "wait_timeout" {
            let lock = scene.far().lock("idle");
            acquire(&lock, Side::Blocking).unwrap().release().unwrap();
            let ended = scene.server.status("Aborted_clients");
            thread::sleep(ms(2500));
            assert_eq!(scene.server.status("Aborted_clients"), ended, "our session was ended for being idle");
            acquire(&lock, Side::Blocking).unwrap().release().unwrap();
        }
        scene.ask(&format!("SET GLOBAL {name} = DEFAULT"));
    }
}

#[test]
fn a_server_that_replicates_statements_takes_ours() {
    for format in ["STATEMENT", "MIXED", "ROW"] {
        let binlog = format!("--binlog-format={format}");
        let scene = Scene::on(MariaDbServer::with(&["--log-bin=bin", "--server-id=1", &binlog]), LONG);
        contend(&scene, &binlog);
        let held = scene.far().lock("held").acquire().unwrap();
        assert!(eventually(LONG, || scene.owner("held") == Some(held.owner().to_string())));
    }
}
