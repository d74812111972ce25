//! The script for Redis, by the client that its users have, on a server.

use std::process::Command;

use lock::fencing::{
    Stale,
    redis::{SCRIPT, fenced},
};
use lock_core::conformance::{Peer, Side};
use redis::{Client, Connection, Script, aio::MultiplexedConnection};
use tests::{servers::RedisServer, subjects::holder_path};

use crate::scene::{Scene, client};

fn connect(server: &RedisServer) -> Connection {
    Client::open(server.url()).unwrap().get_connection().unwrap()
}

async fn connect_async(server: &RedisServer) -> MultiplexedConnection {
    Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[test]
fn a_holder_whose_lease_has_ended_is_refused() {
    let Scene { server, late, successor } = Scene::new();
    let (late, successor) = (late.fencing_token(), successor.fencing_token());
    let connection = &mut connect(&server);
    let set = |token, value: &str| fenced("SET", "stock:7", token).arg(value);

    set(late, "9").query::<()>(connection).unwrap().unwrap();
    set(successor, "8").query::<()>(connection).unwrap().unwrap();
    set(successor, "7").query::<()>(connection).unwrap().unwrap();

    let refused = set(late, "0").query::<()>(connection).unwrap().unwrap_err();
    assert_eq!((refused.token, refused.highest), (late, Some(successor)));
    assert_eq!(server.ask(&["GET", "stock:7"]).text(), "7");
}

#[tokio::test]
async fn a_holder_whose_lease_has_ended_is_refused_in_async_code() {
    let Scene { server, late, successor } = Scene::new();
    let mut connection = connect_async(&server).await;
    let take = |token| fenced("DECRBY", "stock:7", token).arg(1);

    let left: i64 = take(successor.fencing_token()).query_async(&mut connection).await.unwrap().unwrap();
    assert_eq!(left, -1);
    let refused: Result<i64, Stale> = take(late.fencing_token()).query_async(&mut connection).await.unwrap();
    assert_eq!(refused.unwrap_err().highest, Some(successor.fencing_token()));
    assert_eq!(server.ask(&["GET", "stock:7"]).text(), "-1");
}

/// The holder is stopped where it is; when it goes on, its write is under way before it could look at a clock.
#[test]
fn a_holder_that_was_stopped_is_refused() {
    let server = RedisServer::start();
    let mut command = Command::new(holder_path());
    command.args(["fenced", &server.url(), "stock:7"]);
    // Its first line is what it is to be opened with, and is written as any other.
    let mut holder = Peer::start(command, &lock::Settings::default(), Side::Blocking).unwrap();
    let first = smol::block_on(holder.answer());
    assert_eq!(first[1], "written", "{first:?}");
    let token: u64 = first[0].parse().unwrap();

    holder.stop();
    let successor = client(&server.url()).lock("stock:7").acquire().unwrap();
    assert!(successor.fencing_token() > token);
    fenced("SET", "stock:7", successor.fencing_token())
        .arg("ours")
        .query::<()>(&mut connect(&server))
        .unwrap()
        .unwrap();
    holder.tell(&["theirs"]);
    holder.go_on();

    let answer = smol::block_on(holder.answer());
    assert!(answer[1].contains(&format!("{token} is stale: {} ", successor.fencing_token())), "{answer:?}");
    assert_eq!(server.ask(&["GET", "stock:7"]).text(), "ours");
}

/// Else the predecessor's write lands between the successor's read and its write.
#[test]
fn what_was_read_under_a_token_is_not_changed_under_a_lower_one() {
    let server = RedisServer::start();
    server.ask(&["SET", "stock:7", "10"]);
    let connection = &mut connect(&server);
    let read: u32 = fenced("GET", "stock:7", 5).query(connection).unwrap().unwrap();
    assert_eq!(read, 10);
    let missing: Option<u32> = fenced("GET", "stock:8", 5).query(connection).unwrap().unwrap();
    assert_eq!(missing, None);
    assert!(fenced("SET", "stock:7", 4).arg(0).query::<()>(connection).unwrap().is_err());
    assert_eq!(server.ask(&["GET", "stock:7"]).text(), "10");
}

#[test]
fn the_fence_outlives_the_resource() {
    let server = RedisServer::start();
    let connection = &mut connect(&server);
    fenced("HSET", "order:7", 5).arg("state").arg("paid").query::<()>(connection).unwrap().unwrap();
    fenced("DEL", "order:7", 6).query::<()>(connection).unwrap().unwrap();
    let late = fenced("HSET", "order:7", 5).arg("state").arg("paid").query::<()>(connection).unwrap();
    assert_eq!(late.unwrap_err().highest, Some(6));
    assert_eq!(server.ask(&["EXISTS", "order:7"]).int(), 0);
    assert_eq!(server.ask(&["GET", "fence:{order:7}"]).text(), "6");
}

#[test]
fn a_command_that_fails_is_an_error_and_leaves_the_fence_raised() {
    let server = RedisServer::start();
    server.ask(&["RPUSH", "list", "item"]);
    let connection = &mut connect(&server);
    let error = fenced("INCRBY", "list", 7).arg(1).query::<i64>(connection).unwrap_err();
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    let late = fenced("RPUSH", "list", 6).arg("late").query::<i64>(connection).unwrap();
    assert_eq!(late.unwrap_err().highest, Some(7));
    let unknown = fenced("NOSUCH", "list", 7).query::<()>(connection).unwrap_err();
    assert!(unknown.to_string().contains("nknown"), "{unknown}");
}

/// Tokens are numbers to the script, and those of this library have sixteen digits.
#[test]
fn tokens_are_told_apart_to_the_last_digit() {
    const HIGH: u64 = (1 << 53) - 1;
    let server = RedisServer::start();
    let connection = &mut connect(&server);
    let set = |token: u64| fenced("SET", "k", token).arg(token);
    for (token, admitted) in
        [(9, true), (10, true), (9, false), (HIGH - 1, true), (HIGH, true), (HIGH - 1, false)]
    {
        let written = set(token).query::<()>(connection).unwrap();
        assert_eq!(written.is_ok(), admitted, "{token}");
    }
    assert_eq!(server.ask(&["GET", "k"]).text(), HIGH.to_string());
    assert_eq!(server.ask(&["GET", "fence:{k}"]).text(), HIGH.to_string());
}

#[test]
fn the_script_works_for_those_who_run_it_themselves() {
    let server = RedisServer::start();
    let script = Script::new(SCRIPT);
    let write = |token: u64, value: &str| -> Vec<String> {
        let mut call = script.key("mine");
        call.key("guard of mine").arg(token).arg("SET").arg(value);
        call.invoke(&mut connect(&server)).unwrap()
    };
    assert_eq!(write(5, "value"), ["5", "OK"]);
    server.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(write(4, "late"), ["5"]);
    assert_eq!(server.ask(&["GET", "mine"]).text(), "value");
}

#[test]
fn a_user_who_may_do_no_more_than_documented_may_write() {
    let server = RedisServer::start();
    server.ask(&["ACL", "SETUSER", "clerk", "on", ">secret", "~stock:*", "~fence:{stock:*", "-@all"]);
    server.ask(&["ACL", "SETUSER", "clerk", "+evalsha", "+script|load", "+get", "+set"]);
    let url = format!("redis://clerk:secret@127.0.0.1:{}", server.port());
    let connection = &mut Client::open(url).unwrap().get_connection().unwrap();
    fenced("SET", "stock:7", 5).arg(1).query::<()>(connection).unwrap().unwrap();
    let refused = fenced("SET", "order:7", 5).arg(1).query::<()>(connection).unwrap_err();
    assert!(refused.code() == Some("NOPERM"), "{refused}");
}

#[test]
fn a_fence_is_in_the_slot_of_its_resource() {
    let server = RedisServer::with(&["--cluster-enabled", "yes"]);
    let slot = |key: &str| server.ask(&["CLUSTER", "KEYSLOT", key]).int();
    for (resource, fence) in [
        ("stock:7", "fence:{stock:7}"),
        ("stock{7", "fence:{stock{7}"),
        ("{shop}stock:7", "{shop}stock:7:fence"),
    ] {
        assert_eq!(slot(resource), slot(fence), "{resource}");
    }
}
