//! One of all threads, tasks, processes and hosts runs it at a time.

mod attributes;
mod global;
mod model;
pub mod prelude;
mod private;

/// What expansions name.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}

pub use lock_core::*;

pub use crate::attributes::{Model, lock, lock_model};
pub use crate::global::{Config, global, install, lock, locker};
pub use crate::model::{Model, ModelLock, Refresh, RefreshAsync, lock_model};

/// Every code block of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
