//! Workers who come back at once: each has his share.

use std::{thread, time::Duration};

use lock_core::conformance::Peer;
use tests::{report, shares::stop};

use crate::scene::{LONG, Scene, ms, ratio, side};

tests::share_suite!(Scene);

#[test]
fn greedy_workers_of_several_processes_get_equal_shares() {
    const SECONDS: u64 = 3;
    let scene = Scene::new(LONG);
    let mut crowds: Vec<Peer> = (0..4).map(|round| scene.crowd(side(round))).collect();
    let history = scene.journal.path().to_str().unwrap();
    for crowd in &mut crowds {
        crowd.tell(&["work", "k", history, "4", "1000"]);
    }
    thread::sleep(ms(300));
    scene.server.forget_calls();
    let begin = scene.journal.history().holds.len();
    thread::sleep(Duration::from_secs(SECONDS));
    let (sections, calls) =
        (scene.journal.history().holds.len() - begin, scene.server.command_calls("evalsha"));
    let counts = stop(&mut crowds).concat();
    let mean = f64::from(counts.iter().sum::<u32>()) / 16.0;
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    let commands = ratio(calls, sections as u64);
    report(&format!(
        "redis: 16 greedy workers of 4 processes: {sections} sections in {SECONDS} s, {commands:.2} requests each; \
         {least} to {most} for a mean of {mean:.0}"
    ));
    scene.journal.history().assert_right();
    assert!(f64::from(*least) >= mean * 0.8 && f64::from(*most) <= mean * 1.2, "{counts:?}");
    assert!(commands <= 1.0, "{commands:.2} requests a section");
}
