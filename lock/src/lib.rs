//! One of all threads, tasks, processes and hosts runs it at a time.
//!
//! ```
//! use lock::lock; // the attribute #[lock] and the function lock("key"), one import
//! use lock::prelude::*; // the blocks lock!(..) and lock_model!(..), the traits
//!
//! #[lock("global")] // waits until it holds "global", runs, releases
//! fn foo() {}
//!
//! #[lock("order:{order_id}", wait = "5s", ttl = "30s")] // the key is built from arguments
//! async fn ship(order_id: u64) -> Result<(), Box<dyn std::error::Error>> {
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), lock::Error> {
//! # lock::install(lock::Config::new().url("memory://"))?;
//! foo();
//! let total = lock!("key", { 40 + 2 })?; // a block
//! let guard = lock("global").acquire()?; // a guard, released at the end of its scope
//! println!("{total} under token {}", guard.fencing_token());
//! # Ok(()) }
//! ```
//!
//! | for | see |
//! |---|---|
//! | functions and methods | the attributes [`macro@lock`] and [`macro@lock_model`]: their pages are the manual |
//! | a few lines | the blocks [`prelude::lock!`](macro@prelude::lock) and [`prelude::lock_model!`](macro@prelude::lock_model) |
//! | all the rest | [`lock()`], [`Lock`], [`Guard`] |
//! | where the locks are kept | [`install`], [`Config`], [`Locker`]; [`backends`] |
//! | what can go wrong | [`Error`] |
//! | a store of your own | [`Backend`], [`backend`] |
//!
//! Without configuration, locks hold between the processes of one user on one machine. `LOCK_URL`, or [`install`], makes
//! it another store; `LOCK_PREFIX`, `LOCK_TTL`, `LOCK_RETRY`, `LOCK_RELEASE_ON_DROP` set it up, and `LOCK_JOBS_URL` is
//! the store that `using = "jobs"` means.

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
pub use crate::model::{Model, Refresh, RefreshAsync, lock_model};

/// Every code block of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
