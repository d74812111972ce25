//! Processes at work on one key, and everything that can go wrong, one thing after the other.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::{Peer, Side};
use tests::{figures::Figures, history::now};

use super::free_again;
use crate::scene::{FREED, Scene, TTL, eventually, ms, running_since};

const LASTS: Duration = Duration::from_secs(30);

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(()) % below
}

struct Storm {
    scene: Scene,
    /// Two of them speak through the proxy, the others with the server itself.
    crowds: Vec<Peer>,
}

impl Storm {
    fn new() -> Self {
        let mut storm = Self { scene: Scene::new(TTL), crowds: Vec::new() };
        for place in 0..4 {
            let crowd = storm.crowd(place);
            storm.crowds.push(crowd);
        }
        storm
    }

    fn crowd(&self, place: usize) -> Peer {
        let side = if place < 2 { Side::Blocking } else { Side::Async };
        let mut crowd =
            if place.is_multiple_of(2) { self.scene.near_crowd(side) } else { self.scene.crowd(side) };
        // Some of them hold it for longer than a renewal takes to be due.
        let pause = if place == 0 { "500000" } else { "2000" };
        crowd.tell(&["work", "k", self.scene.journal.path().to_str().unwrap(), "2", pause]);
        crowd
    }

    /// Does one thing, and undoes it after a moment.
    fn strike(&mut self) -> &'static str {
        let moment = ms(20 + random(150));
        let long = moment + TTL * u32::try_from(random(3)).unwrap() / 2;
        let (proxy, server) = (&self.scene.proxy, &self.scene.server);
        let place = usize::try_from(random(4)).unwrap();
        let what = match random(11) {
            0 => {
                proxy.reset_all();
                "reset"
            }
            1 => {
                proxy.black_hole();
                thread::sleep(long);
                "black hole"
            }
            2 => {
                proxy.hold();
                thread::sleep(long);
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
                server.stop();
                thread::sleep(long * 2);
                server.go_on();
                "server stopped"
            }
            8 => {
                self.crowds[place].stop();
                thread::sleep(long);
                self.crowds[place].go_on();
                "worker stopped"
            }
            9 => {
                let killed = self.crowds[place].kill();
                self.scene.journal.killed(self.crowds[place].id(), killed);
                self.crowds[place] = self.crowd(place);
                "worker killed"
            }
            _ => {
                proxy.delay(moment / 4);
                thread::sleep(moment);
                "delayed"
            }
        };
        self.scene.proxy.pass();
        thread::sleep(moment / 2);
        what
    }

    /// Returns what was done, and how long afterwards each of them had the lock again.
    fn rage(mut self, name: &str) {
        let (begin, mut figures, mut strikes) = (Instant::now(), Figures::default(), BTreeMap::new());
        while begin.elapsed() < LASTS {
            *strikes.entry(self.strike()).or_insert(0) += 1;
            figures.faults += 1;
        }
        let (calm, begin) = (now(), Instant::now());
        let all_had_it = || {
            let holds = self.scene.journal.history().holds;
            let had = |id| holds.iter().any(|hold| hold.pid == id && hold.from > calm);
            self.crowds.iter().all(|crowd| had(crowd.id()))
        };
        // What is left of the faults may have to run out first, and who looks again has it by luck.
        assert!(eventually(Duration::from_secs(30), all_had_it), "somebody was left behind");
        figures.reacquired(running_since(begin));
        let mut failed = 0;
        self.crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
        for crowd in &mut self.crowds {
            let answer = smol::block_on(crowd.answer());
            failed += answer.last().unwrap().parse::<u32>().unwrap();
        }
        free_again(&self.scene, "k", TTL + FREED);
        let connections = self.scene.server.stat("curr_connections");
        assert!(connections <= 70, "{connections} connections of four processes");
        let history = self.scene.journal.history();
        let holds = history.holds.len();
        figures.report(
            "memcached",
            &format!("{name} {strikes:?}, {holds} holds, {failed} calls failed"),
            history.double_holds(),
        );
        history.assert_right();
    }
}

#[test]
fn whatever_goes_wrong_nobody_holds_it_twice_and_everybody_goes_on() {
    Storm::new().rage("storm");
}
