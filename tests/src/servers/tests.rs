//! A server of a test's own does what it is told.

use std::{fs, time::Duration};

use super::{PostgresServer, RedisServer, Resp};
use crate::callers::{LONG, eventually};

#[test]
fn a_server_is_killed_and_started_again_on_its_port_with_what_it_kept() {
    let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    server.ask(&["SET", "k", "v"]);
    server.kill9();
    assert!(server.connect().is_err());
    server.restart();
    assert_eq!(server.ask(&["GET", "k"]).text(), "v");
}

#[test]
fn a_stopped_server_answers_when_it_goes_on() {
    let server = RedisServer::start();
    let mut connection = Resp::connect(server.port(), Duration::from_millis(50)).unwrap();
    server.stop();
    assert!(connection.ask(&["PING"]).is_err());
    server.go_on();
    assert_eq!(server.ask(&["PING"]).text(), "PONG");
}

#[test]
fn what_it_did_is_counted() {
    let server = RedisServer::with(&["--requirepass", "secret"]);
    server.forget_calls();
    (0..3).for_each(|_| drop(server.ask(&["GET", "k"])));
    assert_eq!((server.command_calls("get"), server.command_calls("keys")), (3, 0));
    assert_eq!(server.number("server", "tcp_port"), u64::from(server.port()));
}

#[test]
fn nothing_of_a_server_is_left_with_the_kernel() {
    let server = PostgresServer::start();
    let mark = server.mark().unwrap().to_string();
    let is_kept = || {
        let all = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines().any(|line| line.split_whitespace().nth(1) == Some(&mark))
    };
    assert!(is_kept());
    drop(server);
    // Its last process takes it along.
    assert!(eventually(LONG, || !is_kept()));
}
