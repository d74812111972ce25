//! Processes at work on one key, and everything that can go wrong, one thing after the other.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::{Peer, Side};
use tests::servers::RedisServer;

use super::{Figures, free_again};
use crate::scene::{FREED, Scene, ms, running_since};

const TTL: Duration = ms(400);
const STORM: Duration = Duration::from_secs(15);

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(()) % below
}

/// Does one thing, and undoes it after a moment.
fn strike(scene: &Scene) -> &'static str {
    let moment = ms(20 + random(150));
    let proxy = &scene.proxy;
    let what = match random(11) {
        0 => {
            proxy.reset_all();
            "reset"
        }
        1 => {
            proxy.black_hole();
            thread::sleep(moment + TTL * u32::try_from(random(3)).unwrap() / 2);
            "black hole"
        }
        2 => {
            proxy.hold();
            thread::sleep(moment + TTL * u32::try_from(random(3)).unwrap() / 2);
            "held up"
        }
        3 => {
            proxy.drop_replies();
            thread::sleep(moment);
            "replies lost"
        }
        4 => {
            proxy.refuse();
            proxy.reset_all();
            thread::sleep(moment);
            "refused"
        }
        5 => {
            proxy.cut_next_reply(usize::try_from(random(40)).unwrap());
            "cut"
        }
        6 => {
            proxy.lose_next_reply();
            "reply lost"
        }
        7 => {
            scene.server.stop();
            thread::sleep(moment);
            scene.server.go_on();
            "server stopped"
        }
        8 => {
            scene.server.ask(&["SCRIPT", "FLUSH"]);
            "scripts flushed"
        }
        9 => {
            scene.server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            "connections killed"
        }
        _ => {
            proxy.delay(moment / 4);
            thread::sleep(moment);
            "delayed"
        }
    };
    proxy.pass();
    thread::sleep(moment / 2);
    what
}

#[test]
fn whatever_goes_wrong_nobody_holds_it_twice_and_everybody_goes_on() {
    let scene = Scene::on(RedisServer::start(), TTL);
    let file = scene.journal.path().to_str().unwrap().to_owned();
    let mut crowds: Vec<Peer> = [Side::Blocking, Side::Async]
        .into_iter()
        .flat_map(|side| [scene.near_crowd(side), scene.crowd(side)])
        .collect();
    for (place, crowd) in crowds.iter_mut().enumerate() {
        // Some of them hold it for longer than a renewal takes to be due.
        let pause = if place == 0 { "200000" } else { "2000" };
        crowd.tell(&["work", "k", &file, "2", pause]);
    }
    let (begin, mut figures, mut counts) =
        (Instant::now(), Figures::default(), std::collections::BTreeMap::new());
    while begin.elapsed() < STORM {
        *counts.entry(strike(&scene)).or_insert(0) += 1;
        figures.faults += 1;
    }
    // Calm again: each of them has it again, soon.
    let calm = tests::history::now();
    let begin = Instant::now();
    let ids: Vec<u32> = crowds.iter().map(Peer::id).collect();
    let all_had_it = || {
        let history = scene.journal.history();
        ids.iter().all(|id| history.holds.iter().any(|hold| hold.pid == *id && hold.from > calm))
    };
    assert!(crate::scene::eventually(Duration::from_secs(10), all_had_it), "somebody was left behind");
    figures.reacquired(running_since(begin));
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
    let mut failed = 0;
    for crowd in &mut crowds {
        let answer = smol::block_on(crowd.answer());
        failed += answer.last().unwrap().parse::<u32>().unwrap();
    }
    let free = free_again(&scene, "k", TTL + FREED);
    let history = scene.journal.history();
    figures.report(
        &format!(
            "storm of {counts:?}, {} holds, {failed} calls failed, free {free:?} after its end",
            history.holds.len()
        ),
        history.double_holds(),
    );
    history.assert_right();
}
