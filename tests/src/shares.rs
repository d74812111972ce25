//! Workers who come back at once: each has his share, of a key and of the store.

use std::{thread, time::Duration};

use lock_core::conformance::{Peer, Side};

use crate::{
    callers::{LONG, eventually, side},
    journal::Journal,
    report,
    scene::{Scene, Stage},
};

/// Makes tests of the cases on a kind of [`Shared`] store, a type that is in reach.
#[macro_export]
macro_rules! share_suite {
    ($store:ty) => {
        $crate::share_suite! { $store:
            four_greedy_processes_get_at_least_half_their_share_each
            fifty_greedy_workers_of_five_processes_are_all_served
            one_worker_among_many_of_another_process_is_not_left_behind
        }
    };
    ($store:ty: $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                $crate::shares::$case::<$store>();
            }
        )+
    };
}

/// A store that processes share.
pub trait Shared {
    /// For people.
    const NAME: &'static str;

    /// One of a test's own.
    fn of_its_own() -> Self;

    /// A process full of callers.
    fn crowd(&self, side: Side) -> Peer;

    /// What becomes of the locks.
    fn journal(&self) -> &Journal;
}

impl<S: Stage> Shared for Scene<S> {
    const NAME: &'static str = S::NAME;

    fn of_its_own() -> Self {
        Self::new(LONG)
    }

    fn crowd(&self, side: Side) -> Peer {
        Self::crowd(self, side)
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Tells processes to stop, all before any is heard, so that they do at about the same time. Returns what each caller had.
pub fn stop(crowds: &mut [Peer]) -> Vec<Vec<u32>> {
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["stop"]));
    let heard = crowds.iter_mut().map(|crowd| {
        let answer = smol::block_on(crowd.answer());
        let mut counts: Vec<u32> = answer.iter().map(|count| count.parse().unwrap()).collect();
        assert_eq!(counts.pop(), Some(0), "calls failed");
        counts
    });
    heard.collect()
}

fn crowds<S: Shared>(store: &S, count: u32) -> Vec<Peer> {
    (0..count).map(|number| store.crowd(side(number))).collect()
}

/// Each of them has at least so much of his share, as one in `part`.
fn assert_fair<S: Shared>(what: &str, counts: &[u32], part: u32) {
    let (least, most) = (*counts.iter().min().unwrap(), counts.iter().max().unwrap());
    let (workers, sum) = (u32::try_from(counts.len()).unwrap(), counts.iter().sum::<u32>());
    report(&format!("{}: {what}: {least} to {most} turns for a mean of {}", S::NAME, sum / workers));
    assert!(least * workers * part >= sum, "{counts:?}");
}

/// Works on one key for some seconds. Returns how often each worker had it.
fn worked<S: Shared>(processes: u32, workers: &str) -> Vec<u32> {
    let store = S::of_its_own();
    let mut crowds = crowds(&store, processes);
    let history = store.journal().path().to_str().unwrap();
    crowds.iter_mut().for_each(|crowd| crowd.tell(&["work", "k", history, workers, "1000"]));
    let all_begun = || {
        let holds = store.journal().history().holds;
        crowds.iter().all(|crowd| holds.iter().any(|hold| hold.pid == crowd.id()))
    };
    assert!(eventually(LONG, all_begun), "somebody never had it");
    thread::sleep(Duration::from_secs(5));
    let counts = stop(&mut crowds).concat();
    let history = store.journal().history();
    history.assert_right();
    assert_eq!(history.holds.len(), counts.iter().sum::<u32>() as usize);
    counts
}

/// One caller each.
pub fn four_greedy_processes_get_at_least_half_their_share_each<S: Shared>() {
    assert_fair::<S>("4 greedy processes on one key", &worked::<S>(4, "1"), 2);
}

/// Ten callers each.
pub fn fifty_greedy_workers_of_five_processes_are_all_served<S: Shared>() {
    assert_fair::<S>("50 greedy workers of 5 processes", &worked::<S>(5, "10"), 2);
}

/// Where the processes want different numbers of turns at once, too: the turns go round among those who wait.
pub fn one_worker_among_many_of_another_process_is_not_left_behind<S: Shared>() {
    let store = S::of_its_own();
    let mut crowds = crowds(&store, 2);
    let history = store.journal().path().to_str().unwrap();
    crowds[1].tell(&["work", "k", history, "20", "1000"]);
    assert!(eventually(LONG, || store.journal().history().holds.len() > 50), "they have not begun");
    crowds[0].tell(&["work", "k", history, "1", "1000"]);
    thread::sleep(Duration::from_secs(3));
    let counts = stop(&mut crowds);
    report(&format!("{}: one worker among twenty of another process: {counts:?}", S::NAME));
    // After a bounded number of turns of theirs, it is his.
    assert!(counts[0][0] >= 10, "{counts:?}");
    store.journal().history().assert_right();
}

/// For a store where they have to take turns though each has a key of its own. Who writes first is for the machine to say;
/// that nobody starves is for us.
pub fn of_four_greedy_processes_with_a_key_each_nobody_starves<S: Shared>() {
    let store = S::of_its_own();
    let mut crowds = crowds(&store, 4);
    for (number, crowd) in crowds.iter_mut().enumerate() {
        let key = format!("k{number}");
        let history = store.journal().path().with_file_name(&key);
        crowd.tell(&["work", &key, history.to_str().unwrap(), "1", "0"]);
    }
    thread::sleep(Duration::from_secs(4));
    assert_fair::<S>("4 greedy processes with a key each", &stop(&mut crowds).concat(), 4);
}
