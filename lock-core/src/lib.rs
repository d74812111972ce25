//! The engine of `lock`: keys, leases, guards, the acquire loop, and the backends.
//!
//! Applications depend on the facade crate `lock`, which re-exports all of this, adds the attributes and reads the
//! configuration from the environment. This crate reads no environment and has no state of its own but one
//! background thread per process, which is started when it is first needed.
//!
//! ```
//! use lock_core::Locker;
//!
//! let locker = Locker::open("memory://doc-core")?;
//! let guard = locker.lock("report").acquire()?;
//! assert!(locker.lock("report").try_acquire()?.is_none());
//! guard.release()?;
//! # Ok::<(), lock_core::Error>(())
//! ```
//!
//! Where to read on: [`Locker`] → [`Lock`] → [`Guard`] are the types in the order in which they are used;
//! [`backend`] is what a store has to be able to do.

#[cfg(not(unix))]
compile_error!(
    "`lock` keeps its embedded locks with flock and checks who owns them: it needs a Unix, and is tested on Linux"
);

pub mod backend;
pub mod backends;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod fencing;

mod acquire;
mod background;
mod clock;
mod error;
mod fields;
mod guard;
mod hold;
mod host;
mod key;
mod lease;
mod lock;
mod locker;
mod park;
mod queue;
mod race;
mod randomness;
mod renew;
mod schedule;
mod scope;
mod shared;
mod signal;
mod sync;
mod url;
mod wait;

pub use backend::Backend;
pub use config::Settings;
pub use error::{Error, Result};
pub use fields::Fields;
pub use guard::{Guard, Lost};
pub use key::Key;
pub use lease::{FencingToken, Holder, Lease, Owner, Ttl};
pub use lock::Lock;
pub use locker::Locker;
#[doc(hidden)]
pub use scope::{Scope, Scoped};
