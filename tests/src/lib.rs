//! What the tests share: the backends under test, the executors, real servers, a proxy that breaks what goes through it,
//! scratch directories, events, and histories of holds with their checker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]
#![allow(clippy::missing_panics_doc, reason = "all of this is called by tests")]

use std::io::Write as _;

pub mod callers;
pub mod events;
pub mod executors;
pub mod faults;
pub mod figures;
pub mod history;
pub mod journal;
pub mod proxy;
pub mod python;
pub mod scene;
pub mod scratch;
pub mod servers;
pub mod shares;
pub mod subjects;

/// Prints a summary that is worth reading also when nothing failed; what a test prints is otherwise not shown then.
pub fn report(summary: &str) {
    // Nothing depends on its being seen.
    let _ = writeln!(std::io::stderr(), "{summary}");
}
