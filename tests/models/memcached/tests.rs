//! Each scene keeps its promises, and each mistake breaks one.

use super::{
    steps::{EXCLUSION, FENCING, OTHERS, Scene},
    world::Mistake,
};
use crate::explored;

/// Leases that are renewed and run out, and requests that are late.
const LEASES: Scene = Scene {
    name: "memcached: leases",
    begins: [1, 1],
    horizon: 3,
    renewals: 1,
    again: 0,
    failures: 0,
    stops: 0,
    fills: false,
    mistake: None,
};

/// Requests that are sent again, while the last one is on its way.
const AGAIN: Scene = Scene { name: "memcached: again", again: 1, renewals: 0, horizon: 2, ..LEASES };

/// A server whose clock stands still.
const STOPS: Scene = Scene { name: "memcached: stops", stops: 2, ..LEASES };

/// A server that starts anew, or forgets the last token.
const FAILURES: Scene =
    Scene { name: "memcached: failures", begins: [2, 1], failures: 1, renewals: 0, ..LEASES };

/// The same under renewals.
const RENEWED: Scene = Scene { name: "memcached: failures under renewal", failures: 1, horizon: 2, ..LEASES };

/// A server that has no room.
const FULL: Scene = Scene { name: "memcached: full", fills: true, ..LEASES };

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
fn requests_are_sent_again() {
    keeps_its_promises(AGAIN);
}

#[test]
fn a_clock_stands_still() {
    keeps_its_promises(STOPS);
}

#[test]
fn a_server_starts_anew() {
    keeps_its_promises(FAILURES);
}

#[test]
fn a_server_starts_anew_under_renewals() {
    keeps_its_promises(RENEWED);
}

#[test]
fn a_server_has_no_room() {
    keeps_its_promises(FULL);
}

#[test]
fn a_token_before_the_lock_is_caught() {
    is_caught(LEASES, Mistake::TokenFirst, FENCING);
}

#[test]
fn a_remembered_cas_number_is_caught() {
    is_caught(RENEWED, Mistake::RememberedCas, OTHERS);
}

#[test]
fn a_cas_number_on_another_connection_is_caught() {
    is_caught(RENEWED, Mistake::OtherConnection, OTHERS);
}

#[test]
fn a_touch_is_caught() {
    is_caught(LEASES, Mistake::Touch, OTHERS);
}

#[test]
fn a_clock_that_is_not_checked_is_caught() {
    is_caught(STOPS, Mistake::ClockUnchecked, EXCLUSION);
}

#[test]
fn a_life_without_a_second_more_is_caught() {
    is_caught(LEASES, Mistake::NoSecondMore, EXCLUSION);
}

#[test]
fn a_plain_counter_is_caught() {
    is_caught(FAILURES, Mistake::PlainCounter, FENCING);
}

#[test]
fn a_clock_that_counts_only_at_first_is_caught() {
    is_caught(FAILURES, Mistake::ClockOnlyAtFirst, FENCING);
}

#[test]
fn an_add_that_removes_is_caught() {
    is_caught(FULL, Mistake::AddRemoves, OTHERS);
}

#[test]
fn a_deadline_from_the_answer_is_caught() {
    is_caught(LEASES, Mistake::DeadlineFromAnswer, EXCLUSION);
}
