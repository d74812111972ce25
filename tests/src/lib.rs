//! What the tests share: the backends under test, the executors, scratch directories, and the history checker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]
#![allow(clippy::missing_panics_doc, reason = "all of this is called by tests")]

pub mod executors;
pub mod history;
pub mod scratch;
pub mod subjects;
