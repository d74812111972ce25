//! Workers who come back at once: each has his share.

use std::{thread, time::Duration};

use lock_core::conformance::Peer;
use tests::report;

use crate::scene::{LONG, Scene, eventually, ms, side};

/// Works on one key for some seconds. Returns how often each worker had it.
fn worked(processes: u32, workers: &str) -> Vec<u32> {
    const SECONDS: u64 = 4;
    let scene = Scene::new(LONG);
    let mut crowds: Vec<Peer> = (0..processes).map(|number| scene.crowd(side(number))).collect();
    let history = scene.journal.path().to_str().unwrap();
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["work", "k", history, workers, "1000"]));
    let all_begun = || {
        let holds = scene.journal.history().holds;
        crowds.iter().all(|crowd| holds.iter().any(|hold| hold.pid == crowd.id()))
    };
    assert!(eventually(LONG, all_begun), "somebody never had it");
    thread::sleep(ms(SECONDS * 1000));
    let mut counts: Vec<u32> = Vec::new();
    // All are told before any is heard: they stop at about the same time.
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
    for crowd in &mut crowds {
        let answer: Vec<u32> =
            smol::block_on(crowd.answer()).iter().map(|count| count.parse().unwrap()).collect();
        let (failed, each) = answer.split_last().unwrap();
        assert_eq!(*failed, 0);
        counts.extend(each);
    }
    let mean = f64::from(counts.iter().sum::<u32>()) / f64::from(u32::try_from(counts.len()).unwrap());
    report(&format!(
        "postgres: {} greedy workers of {processes} processes: {} sections; {} to {} for a mean of {mean:.0}",
        counts.len(),
        counts.iter().sum::<u32>(),
        counts.iter().min().unwrap(),
        counts.iter().max().unwrap()
    ));
    scene.journal.history().assert_right();
    counts
}

fn assert_fair(counts: &[u32]) {
    let total: u32 = counts.iter().sum();
    let share = total / u32::try_from(counts.len()).unwrap();
    assert!(counts.iter().all(|count| *count >= share / 2), "{counts:?}");
}

#[test]
fn four_greedy_processes_get_at_least_half_their_share_each() {
    assert_fair(&worked(4, "1"));
}

#[test]
fn fifty_greedy_workers_of_five_processes_are_all_served() {
    assert_fair(&worked(5, "10"));
}

/// Where the processes want different numbers of turns at once, too: the turns go round among those who wait.
#[test]
fn one_worker_among_many_of_another_process_is_not_left_behind() {
    let scene = Scene::new(LONG);
    let (mut many, mut one) = (scene.crowd(side(0)), scene.crowd(side(1)));
    let history = scene.journal.path().to_str().unwrap();
    many.tell(&["work", "k", history, "20", "1000"]);
    assert!(eventually(LONG, || scene.journal.history().holds.len() > 50));
    one.tell(&["work", "k", history, "1", "1000"]);
    thread::sleep(Duration::from_secs(3));
    one.tell(&["stop"]);
    many.tell(&["stop"]);
    let counts = smol::block_on(one.answer());
    let others = smol::block_on(many.answer());
    report(&format!("postgres: one worker among twenty of another process: {counts:?} turns, {others:?}"));
    // After a bounded number of turns of theirs, it is his.
    assert!(counts[0].parse::<u32>().unwrap() >= 10, "{counts:?} {others:?}");
    scene.journal.history().assert_right();
}
