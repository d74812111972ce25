//! Processes at work on one key, and everything that can go wrong, one thing after the other.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    thread,
    time::Instant,
};

use lock_core::conformance::{Peer, Side};

use super::free_again;
use crate::{
    callers::{eventually, ms, running_since},
    figures::Figures,
    history::now,
    scene::{Scene, Stage},
};

pub(super) fn whatever_goes_wrong_nobody_holds_it_twice_and_everybody_goes_on<S: Stage>() {
    rage("storm", S::start(), S::KEEPS);
}

/// A storm on a server, which may also be killed if it keeps its locks.
pub fn rage<S: Stage>(name: &str, server: S, keeps: bool) {
    Storm::new(server, keeps).rage(name);
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(()) % below
}

struct Storm<S> {
    scene: Scene<S>,
    /// Two of them speak through the proxy, the others with the server itself.
    crowds: Vec<Peer>,
    keeps: bool,
}

impl<S: Stage> Storm<S> {
    fn new(server: S, keeps: bool) -> Self {
        let mut storm = Self { scene: Scene::on(server, S::LIMITS.storm.ttl), crowds: Vec::new(), keeps };
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
        let pause = if place == 0 { S::LIMITS.storm.ttl / 2 } else { ms(2) };
        let history = self.scene.journal.path().to_str().unwrap();
        crowd.tell(&["work", "k", history, "2", &pause.as_micros().to_string()]);
        crowd
    }

    /// Does one thing, and undoes it after a moment.
    fn strike(&mut self) -> &'static str {
        let moment = ms(20 + random(150));
        let long = moment + S::LIMITS.storm.ttl * u32::try_from(random(3)).unwrap() / 2;
        let (proxy, server) = (&self.scene.proxy, &self.scene.server);
        let place = usize::try_from(random(4)).unwrap();
        let own = S::STRIKES.len();
        let what = match random(11 + u64::from(self.keeps) + own as u64) {
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
                thread::sleep(long * 2);
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
                thread::sleep(moment);
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
            10 => {
                proxy.delay(moment / 4);
                thread::sleep(moment);
                "delayed"
            }
            11 if self.keeps => {
                server.kill9();
                thread::sleep(moment);
                server.restart();
                "server killed"
            }
            other => {
                let (name, strike) = S::STRIKES[usize::try_from(other).unwrap() % own];
                strike(server, moment);
                name
            }
        };
        self.scene.proxy.pass();
        thread::sleep(moment / 2);
        what
    }

    /// Returns what was done, and how long afterwards each of them had the lock again.
    fn rage(mut self, name: &str) {
        let limits = S::LIMITS.storm;
        let (begin, mut figures, mut strikes) = (Instant::now(), Figures::default(), BTreeMap::new());
        while begin.elapsed() < limits.lasts {
            *strikes.entry(self.strike()).or_insert(0) += 1;
            figures.faults += 1;
        }
        let (calm, begin) = (now(), Instant::now());
        let all_had_it = || {
            let holds = self.scene.journal.history().holds;
            let had = |id| holds.iter().any(|hold| hold.pid == id && hold.from > calm);
            self.crowds.iter().all(|crowd| had(crowd.id()))
        };
        assert!(eventually(limits.calm, all_had_it), "somebody was left behind");
        figures.reacquired(running_since(begin));
        let mut failed = 0;
        self.crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
        for crowd in &mut self.crowds {
            let answer = smol::block_on(crowd.answer());
            failed += answer.last().unwrap().parse::<u32>().unwrap();
        }
        free_again(&self.scene, "k", limits.ttl + S::LIMITS.freed);
        let connections = self.scene.connections();
        assert!(connections <= limits.connections, "{connections} connections of four processes");
        let history = self.scene.journal.history();
        let holds = history.holds.len();
        figures.report(
            S::NAME,
            &format!("{name} {strikes:?}, {holds} holds, {failed} calls failed"),
            history.double_holds(),
        );
        history.assert_right();
    }
}
