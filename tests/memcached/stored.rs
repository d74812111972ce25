//! What stands on the server, and what stands there of others.

use std::{fs, net::TcpListener};

use lock::{Error, Locker};
use tests::{
    scratch::Scratch,
    servers::{MemcachedServer, RedisServer},
};

use crate::scene::{LONG, SIDES, Scene, TTL, acquire};

#[test]
fn a_lock_is_a_number_with_a_token_and_a_record_that_people_can_read() {
    let scene = Scene::new(LONG);
    let guard = scene.far().lock("order:7").acquire().unwrap();
    let number: u64 = scene.server.ask("mg lock:order:7 v").parse().unwrap();
    assert_ne!(number, 0);
    assert_eq!(scene.server.ask("mg lock:order:7#token v"), guard.fencing_token().to_string());
    let record = scene.server.ask("mg lock:order:7#holder v");
    let words: Vec<&str> = record.split(' ').collect();
    assert_eq!(words[..3], ["lock/1", &guard.owner().to_string(), &std::process::id().to_string()]);
    assert_eq!(words.len(), 5);
    let holder = scene.far().lock("order:7").holder().unwrap().unwrap();
    assert_eq!((holder.owner, holder.fencing_token), (guard.owner(), Some(guard.fencing_token())));
    assert_eq!(holder.pid, Some(std::process::id()));
    guard.release().unwrap();
    assert!(!scene.is_held("order:7"));
    assert_eq!(scene.far().lock("order:7").holder().unwrap(), None);
}

#[test]
fn a_name_is_never_a_command() {
    let scene = Scene::new(LONG);
    let name = "a b T0 k#token~ %20 \u{e9}";
    let guard = scene.far().lock(name).acquire().unwrap();
    assert!(scene.far().lock(name).try_acquire().unwrap().is_none());
    assert_ne!(scene.server.ask("mg lock:a%20b%20T0%20k%23token%7e%20%2520%20%c3%a9 v"), "EN");
    guard.release().unwrap();
}

#[test]
fn what_somebody_else_put_there_is_held_and_left_alone() {
    let scene = Scene::new(TTL);
    let long = "x".repeat(20_000);
    for value in ["theirs", "", "12345", &long] {
        let put = format!("ms lock:k {} T0\r\n{value}", value.len());
        assert_eq!(scene.server.ask(&put), "HD");
        for _ in 0..3 {
            assert!(scene.far().lock("k").try_acquire().unwrap().is_none(), "{} bytes", value.len());
        }
        let error = scene.far().lock("k").wait(TTL / 4).acquire().unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        assert_eq!(scene.server.ask("mg lock:k v"), value);
        assert!(scene.far().lock("k").force_release().unwrap());
    }
    drop(scene.far().lock("k").acquire().unwrap());
}

#[test]
fn what_others_add_is_refused_while_we_hold() {
    let scene = Scene::new(LONG);
    let guard = scene.far().lock("k").acquire().unwrap();
    assert_eq!(scene.server.ask("ms lock:k 6 ME T9\r\ntheirs"), "NS");
    assert!(guard.is_held());
    guard.release().unwrap();
}

#[test]
fn a_holder_whose_record_was_evicted_is_still_one() {
    let scene = Scene::new(LONG);
    let guard = scene.far().lock("k").acquire().unwrap();
    assert_eq!(scene.server.ask("md lock:k#holder"), "HD");
    assert_eq!(scene.far().lock("k").holder().unwrap().unwrap().fencing_token, None);
    // What is there is then that of another one.
    assert_eq!(scene.server.ask("ms lock:k#holder 21 T0\r\nlock/1 somebody 1 h 2"), "HD");
    assert_eq!(scene.far().lock("k").holder().unwrap().unwrap().pid, None);
    guard.release().unwrap();
}

#[test]
fn listing_is_unsupported_with_the_reason() {
    let error = Scene::new(LONG).far().held().unwrap_err();
    assert!(
        matches!(error, Error::Unsupported { .. }) && error.to_string().contains("cannot list"),
        "{error}"
    );
}

/// The CAS numbers of a server begin anew when it is restarted: the successor's item has the very number that the old one had.
#[test]
fn a_stale_guard_does_not_free_the_successor_whose_item_has_its_cas_number() {
    let scene = Scene::new(LONG);
    let cas = || {
        let said = scene.server.ask("mg lock:k c");
        said.strip_prefix("HD c").unwrap_or_else(|| panic!("{said}")).parse::<u64>().unwrap()
    };
    let stale = scene.far().lock("k").acquire().unwrap();
    let remembered = cas();
    scene.server.kill9();
    scene.server.restart();
    let successor = scene.far().lock("k").acquire().unwrap();
    assert!(successor.fencing_token() > stale.fencing_token());
    // Brings it to the same number, if it is not there yet.
    let mut text = scene.server.connect().unwrap();
    while cas() < remembered {
        let now = cas();
        assert_eq!(text.ask(&format!("ma lock:k D0 C{now}")).unwrap(), "HD");
    }
    let equal = cas() == remembered;
    assert!(stale.release().is_err_and(|error| error.is_lost()));
    drop(stale);
    assert!(scene.is_held("k") && successor.check().is_ok());
    assert_eq!(scene.far().lock("k").holder().unwrap().unwrap().owner, successor.owner());
    assert!(equal, "{remembered} was never reached");
    // What a client would have done that remembers it.
    assert_eq!(scene.server.ask(&format!("md lock:k C{remembered}")), "HD");
    assert!(!scene.is_held("k"));
}

#[test]
fn a_server_without_cas_numbers_is_refused() {
    let server = MemcachedServer::with(&["-C"]);
    let error = Locker::open(&server.url()).unwrap().lock("k").acquire().unwrap_err();
    assert!(error.to_string().contains("started with -C") && !error.is_retryable(), "{error}");
}

#[test]
fn a_server_that_does_not_know_the_commands_is_named_so() {
    let server = RedisServer::start();
    let url = format!("memcache://127.0.0.1:{}", server.port());
    let error = Locker::open(&url).unwrap().lock("k").acquire().unwrap_err();
    assert!(
        error.to_string().contains("accepted is memcached from 1.6 on") && !error.is_retryable(),
        "{error}"
    );
}

#[test]
fn a_server_that_wants_a_password_is_named_so() {
    let scratch = Scratch::new("password");
    let passwords = scratch.path().join("passwords");
    fs::write(&passwords, "app:secret\n").unwrap();
    let server = MemcachedServer::with(&["-Y", passwords.to_str().unwrap()]);
    for side in SIDES {
        let error = acquire(&Locker::open(&server.url()).unwrap().lock("k"), side).unwrap_err();
        assert!(error.to_string().contains("without user and password") && !error.is_retryable(), "{error}");
    }
}

#[test]
fn a_server_that_says_nothing_is_named_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("memcache://{}", silent.local_addr().unwrap());
    for side in SIDES {
        // What may have been asked is given back first, so that each has a key of its own.
        let lock = Locker::open(&url).unwrap().lock(format!("{side:?}")).blocking(false);
        let error = acquire(&lock, side).unwrap_err();
        assert!(error.to_string().contains("no answer in time") && error.is_retryable(), "{error}");
    }
}

#[test]
fn a_token_is_never_below_the_clock_nor_below_the_last() {
    let scene = Scene::new(LONG);
    let token = || {
        let guard = scene.far().lock("k").acquire().unwrap();
        guard.fencing_token()
    };
    let first = token();
    // Set back, as by a request that was under way for a long time.
    assert_eq!(scene.server.ask("ms lock:k#token 2 T0\r\n17"), "HD");
    let second = token();
    assert!(second > first, "{second} after {first}");
    // Ahead of every clock.
    let ahead = second + 3_600_000_000;
    assert_eq!(scene.server.ask(&format!("ms lock:k#token {} T0\r\n{ahead}", ahead.to_string().len())), "HD");
    assert_eq!(token(), ahead + 1);
    assert_eq!(scene.server.ask("md lock:k#token"), "HD");
    assert!(token() > second);
}
