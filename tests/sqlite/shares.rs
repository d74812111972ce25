//! Processes that come back at once: each has its share, of a key and of the file.

use std::{thread, time::Duration};

use lock_core::conformance::Peer;
use tests::report;

use crate::scene::{LONG, Scene, side};

/// What four greedy processes got, each with one caller and the key that `key` gives it.
fn shares(scene: &Scene, seconds: u64, pause: &str, key: impl Fn(u32) -> String) -> Vec<u32> {
    let mut crowds: Vec<Peer> = (0..4).map(|round| scene.crowd(side(round))).collect();
    for (number, crowd) in (0..).zip(&mut crowds) {
        let history =
            scene.scratch.path().join(if key(0) == key(1) { "history".into() } else { key(number) });
        crowd.tell(&["work", &key(number), history.to_str().unwrap(), "1", pause]);
    }
    thread::sleep(Duration::from_secs(seconds));
    // All are told before any is heard: they stop at about the same time.
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
    let counts = crowds.iter_mut().map(|crowd| {
        let answer: Vec<u32> =
            smol::block_on(crowd.answer()).iter().map(|count| count.parse().unwrap()).collect();
        let [count, failed] = answer[..] else { panic!("{answer:?}") };
        assert_eq!(failed, 0);
        count
    });
    counts.collect()
}

/// The worst has at least so much of its share, as one in `part`.
fn assert_fair(what: &str, counts: &[u32], part: u32) {
    let (least, sum) = (*counts.iter().min().unwrap(), counts.iter().sum::<u32>());
    report(&format!("sqlite: 4 greedy processes on {what}: {counts:?}"));
    assert!(least * 4 * part >= sum, "{counts:?}");
}

#[test]
fn of_four_greedy_processes_on_one_key_the_worst_has_half_its_share() {
    let scene = Scene::new(LONG);
    let counts = shares(&scene, 6, "1000", |_| "k".into());
    assert_fair("one key", &counts, 2);
    let history = scene.journal.history();
    // Tokens grow over processes, and nobody held it twice.
    history.assert_right();
    assert_eq!(history.holds.len(), counts.iter().sum::<u32>() as usize);
}

#[test]
fn of_four_greedy_processes_with_a_key_each_nobody_starves() {
    let scene = Scene::new(LONG);
    let counts = shares(&scene, 4, "0", |number| format!("k{number}"));
    // Who writes first is for the machine to say; that nobody starves is for us.
    assert_fair("a key each", &counts, 4);
}
