//! Each scene keeps its promises, and each mistake breaks one.

use super::{
    steps::{EXCLUSION, FENCING, LINE, ORDER, SERVED, STALLS, Scene},
    table::Mistake,
};
use crate::explored;

/// Leases that are renewed and run out, and requests that are late.
const LEASES: Scene = Scene {
    name: "rows: leases",
    begins: &[1, 1],
    horizon: 4,
    under_way: 2,
    asks: 1,
    renewals: 1,
    deaths: 0,
    prompt: false,
    deaf: false,
    mistake: None,
};

/// One who comes back, while what it sent before is still under way.
const RETURNS: Scene =
    Scene { name: "rows: returns", begins: &[2, 1], horizon: 1, asks: 2, renewals: 0, ..LEASES };

/// Three who wait for each other, of whom some die; they are told of each release.
const TOLD: Scene = Scene {
    name: "rows: a line that is told",
    begins: &[1, 1, 1],
    horizon: 7,
    asks: 12,
    renewals: 0,
    deaths: 2,
    prompt: true,
    ..LEASES
};

/// The same where announcements get lost.
const TIMERS: Scene = Scene { name: "rows: timers", horizon: 12, deaf: true, ..TOLD };

fn keeps_its_promises(scene: Scene) {
    explored::keeps_its_promises(scene.name, scene);
}

fn is_caught(mut scene: Scene, mistake: Mistake, promise: &'static str) {
    scene.mistake = Some(mistake);
    explored::is_caught(scene.name, scene, mistake, promise);
}

#[test]
fn leases_run_out_and_are_renewed() {
    keeps_its_promises(LEASES);
}

#[test]
fn one_comes_back() {
    keeps_its_promises(RETURNS);
}

#[test]
fn a_line_is_told_and_served_in_order() {
    keeps_its_promises(TOLD);
}

#[test]
fn who_waits_has_a_timer() {
    keeps_its_promises(TIMERS);
}

#[test]
fn a_release_that_removes_the_row_is_caught() {
    is_caught(RETURNS, Mistake::ReleaseRemoves, FENCING);
}

#[test]
fn a_release_of_anybodys_is_caught() {
    is_caught(RETURNS, Mistake::ReleaseOfAnybodys, EXCLUSION);
}

#[test]
fn a_line_for_a_free_key_is_caught() {
    is_caught(TOLD, Mistake::LineForAFreeKey, STALLS);
}

#[test]
fn one_who_does_not_mind_the_line_is_caught() {
    is_caught(TOLD, Mistake::WindowIgnored, ORDER);
}

#[test]
fn a_release_that_tells_nobody_is_caught() {
    is_caught(TOLD, Mistake::TellsNobody, STALLS);
}

#[test]
fn waiting_to_be_told_is_caught() {
    is_caught(TIMERS, Mistake::NoTimer, SERVED);
}

#[test]
fn one_who_waits_for_himself_is_caught() {
    is_caught(RETURNS, Mistake::WaitsForHimself, LINE);
}

#[test]
fn a_row_that_is_pruned_too_early_is_caught() {
    is_caught(LEASES, Mistake::PrunesTooMuch, FENCING);
}

#[test]
fn a_deadline_from_the_answer_is_caught() {
    is_caught(LEASES, Mistake::DeadlineFromAnswer, EXCLUSION);
}
