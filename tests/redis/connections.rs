//! Connections and servers end with those who use them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use lock::{Error, Locker};
use tests::subjects::holder_path;

use crate::scene::{LONG, SIDES, Scene, acquire, eventually, release};

#[test]
fn a_locker_that_is_dropped_closes_its_connections() {
    let scene = Scene::new(LONG);
    let clients = || scene.server.number("clients", "connected_clients");
    let before = clients();
    for _ in 0..20 {
        let locker = scene.far();
        for side in SIDES {
            release(&acquire(&locker.lock("k"), side).unwrap(), side).unwrap();
        }
    }
    assert!(eventually(LONG / 2, || clients() <= before), "{} are open, {before} were before", clients());
}

#[test]
fn blocking_callers_take_a_few_connections_at_most() {
    let scene = Scene::new(LONG);
    let (locker, before) = (scene.far(), scene.server.number("clients", "connected_clients"));
    thread::scope(|scope| {
        for number in 0..64 {
            let lock = locker.lock(format!("{number}"));
            scope.spawn(move || (0..20).for_each(|_| lock.acquire().unwrap().release().unwrap()));
        }
    });
    let more = scene.server.number("clients", "connected_clients") - before;
    assert!(more <= 10, "{more} connections for 64 threads");
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error_and_no_panic() {
    let scene = Scene::new(LONG);
    let locker = Locker::open(&format!("rediss://127.0.0.1:{}/0", scene.server.port())).unwrap();
    for side in SIDES {
        let error = acquire(&locker.lock("k"), side).unwrap_err();
        assert!(matches!(error, Error::Backend { .. }), "{error:?}");
        assert!(!error.to_string().contains("panic"), "{error}");
    }
}

/// The servers of these tests themselves: none is left behind by a test that is killed, or panics.
#[test]
fn a_server_ends_with_the_process_that_started_it() {
    for killed in [true, false] {
        let mut command = Command::new(holder_path());
        command.arg("server").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let server = format!("/proc/{}", line.trim());
        assert!(Path::new(&server).exists());
        if killed {
            process.kill().unwrap();
        } else {
            drop(process.stdin.take());
        }
        assert!(!process.wait().unwrap().success());
        assert!(eventually(LONG, || !Path::new(&server).exists()), "killed: {killed}");
    }
}
