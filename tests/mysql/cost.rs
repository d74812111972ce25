//! What a lock costs the server, and beside the client's own statements.

use std::time::{Duration, Instant};

use tests::{report, servers::MySqlSession};

use crate::scene::{LONG, SIDES, Scene, acquire, eventually, release};

/// A bare statement that takes a row, and one that gives it back.
const BARE: [&str; 2] = [
    "INSERT INTO bare (id, owner, expires_at) VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL 30 SECOND) \
     ON DUPLICATE KEY UPDATE owner = VALUES(owner), expires_at = VALUES(expires_at)",
    "UPDATE bare SET expires_at = UTC_TIMESTAMP(6) WHERE id = ? AND owner = ?",
];

/// Statements of the library that are on their way.
const RUNNING: &str = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist \
                       WHERE user = 'app' AND command <> 'Sleep'";

/// What a lock costs beside two bare statements is told: medians of pairs in turn, on one server.
#[test]
fn an_acquire_is_one_statement_and_a_release_another() {
    const TIMES: u32 = 1_000;
    let scene = Scene::new(LONG);
    scene.ask("CREATE TABLE bare (id CHAR(64) PRIMARY KEY, owner VARBINARY(255), expires_at DATETIME(6))");
    let mut session = MySqlSession::open(&scene.server.url()).unwrap();
    let id = "0".repeat(64);
    for side in SIDES {
        let lock = scene.far().lock("k");
        let pair = || release(&acquire(&lock, side).unwrap(), side).unwrap();
        let mut bare = |round: u32| {
            let owner = format!("{round:032x}");
            BARE.map(|statement| session.prepared(statement, &[&id, &owner]).unwrap())
        };
        pair();
        bare(0);
        // What is removed beside the first grant is over, and its connection may be the one that is used next.
        assert!(eventually(LONG, || scene.number(RUNNING) == 0));
        pair();
        bare(0);
        let counted = || ["Com_stmt_execute", "Com_stmt_prepare"].map(|name| scene.server.status(name));
        let before = counted();
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..TIMES {
            let begin = Instant::now();
            pair();
            times[0].push(begin.elapsed());
            let begin = Instant::now();
            bare(round);
            times[1].push(begin.elapsed());
        }
        let after = counted();
        assert_eq!(after[0] - before[0], u64::from(TIMES) * 4, "two of ours, two of the other's");
        assert_eq!(after[1] - before[1], 0, "nothing is prepared again");
        let [ours, bare] = times.map(median);
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        report(&format!("mysql: {side:?}: a pair {ours:?}, two bare statements {bare:?}, {ratio:.2} x"));
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
