//! What `use lock::prelude::*;` brings: the blocks and the traits.
//!
//! ```
//! use lock::lock; // the attribute `#[lock]` and the function `lock("key")`
//! use lock::prelude::*; // the blocks `lock!` and `lock_model!`, the traits
//!
//! # fn main() -> Result<(), lock::Error> {
//! # lock::install(lock::Config::new().url("memory://"))?;
//! let total = lock!("prelude:total", { 40 + 2 })?;
//! assert_eq!(total, 42);
//! # Ok(())
//! # }
//! ```
//!
//! Attributes and `name!` macros share one namespace in Rust. The two spellings stand side by side because the attribute
//! is imported by its name and the block by a glob. Where that does not fit, write `lock::prelude::lock!(..)`.
//!
//! A module that says `use super::*;` inherits the attribute only, and a second glob would be ambiguous: write
//! `lock::prelude::lock!(..)` there, or import what you need by name instead of `super::*`.

/// Runs a block while this process, or this thread or task of it, has the lock to itself.
///
/// ```
/// use lock::prelude::*;
///
/// # lock::install(lock::Config::new().url("memory://"))?;
/// let id = 7;
/// let total = lock!("user:{id}", wait = "1s", { 40 + 2 })?;
/// let token = lock!("user:{id}", |guard| guard.fencing_token())?;
/// let later = lock!("user:{id}", async { 40 + 2 }); // a future of the same
/// # drop((total, token, later));
/// # Ok::<(), lock::Error>(())
/// ```
///
/// # The manual
pub use lock_macros::lock_block as lock;

/// Runs a block while the model has its lock to itself.
///
/// ```
/// use lock::prelude::*;
///
/// #[derive(Model)]
/// struct Order {
///     id: u64,
///     bar: String,
/// }
///
/// # lock::install(lock::Config::new().url("memory://"))?;
/// let mut order = Order { id: 7, bar: "abc".to_owned() };
/// lock_model!(order, field = "bar", blocking = false, { order.bar.push('d') })?;
/// # Ok::<(), lock::Error>(())
/// ```
///
/// # The manual
pub use lock_macros::lock_model_block as lock_model;

#[doc(no_inline)]
pub use crate::attributes::Model;
#[doc(no_inline)]
pub use crate::model::{Model, Refresh, RefreshAsync};
