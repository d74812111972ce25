//! Each scene keeps its promises, and each mistake breaks one.

use super::{
    mistakes::Mistake,
    promises,
    scene::{self, Scene},
};
use crate::explored;

fn keeps_its_promises(scene: Scene) {
    explored::keeps_its_promises(scene.name, scene);
}

fn is_caught(mut scene: Scene, mistake: Mistake, promise: &'static str) {
    scene.mistake = Some(mistake);
    explored::is_caught(scene.name, scene, mistake, promise);
}

#[test]
fn leases_run_out_and_are_renewed() {
    keeps_its_promises(scene::LEASES);
}

#[test]
fn extensions_last() {
    keeps_its_promises(scene::EXTENSIONS);
}

#[test]
fn leases_are_adopted() {
    keeps_its_promises(scene::ADOPTIONS);
}

#[test]
fn blocks_are_handed_over() {
    keeps_its_promises(scene::BLOCKS);
}

#[test]
fn a_line_passes_the_lock_on() {
    keeps_its_promises(scene::LINE);
}

#[test]
fn a_long_line_passes_the_lock_on() {
    keeps_its_promises(scene::LONG_LINE);
}

#[test]
fn a_server_forgets() {
    keeps_its_promises(scene::FAILURES);
}

#[test]
fn a_server_forgets_one_who_comes_back() {
    keeps_its_promises(scene::RETURNS);
}

#[test]
fn who_waits_has_a_timer() {
    keeps_its_promises(scene::TIMERS);
}

#[test]
fn a_plain_counter_is_caught() {
    is_caught(scene::FAILURES, Mistake::PlainCounter, promises::FENCING);
}

#[test]
fn a_release_of_anybodys_is_caught() {
    is_caught(scene::LEASES, Mistake::ReleaseOfAnybodys, promises::EXCLUSION);
}

#[test]
fn a_deadline_from_the_answer_is_caught() {
    is_caught(scene::LEASES, Mistake::DeadlineFromAnswer, promises::EXCLUSION);
}

#[test]
fn a_renewal_that_sets_is_caught() {
    is_caught(scene::LEASES, Mistake::RenewalSets, promises::EXCLUSION);
}

#[test]
fn a_block_that_is_ignored_is_caught() {
    is_caught(scene::BLOCKS, Mistake::BlockIgnored, promises::FENCING);
}

#[test]
fn a_grant_left_behind_is_caught() {
    is_caught(scene::LINE, Mistake::GrantLeftBehind, promises::LIVENESS);
}

#[test]
fn another_count_is_caught() {
    is_caught(scene::BLOCKS, Mistake::OtherCount, promises::FENCING);
}

#[test]
fn an_extension_cut_short_is_caught() {
    is_caught(scene::EXTENSIONS, Mistake::Shortened, promises::EXCLUSION);
}

#[test]
fn a_release_of_what_was_given_away_is_caught() {
    is_caught(scene::ADOPTIONS, Mistake::GivenAwayReleased, promises::EXCLUSION);
}

#[test]
fn a_place_left_in_line_is_caught() {
    is_caught(scene::LINE, Mistake::LeftInLine, promises::LINE);
}

#[test]
fn waiting_to_be_told_is_caught() {
    is_caught(scene::TIMERS, Mistake::NoTimer, promises::WAITING);
}
