//! What `use lock::prelude::*;` brings: the blocks and the traits.
//!
//! ```
//! use lock::lock; // the attribute `#[lock]` and the function `lock("key")`
//! use lock::prelude::*; // the blocks `lock!` and `lock_model!`, the traits
//!
//! # fn main() -> Result<(), lock::Error> {
//! let total = lock!("prelude:total", { 40 + 2 })?;
//! assert_eq!(total, 42);
//! # Ok(())
//! # }
//! ```
//!
//! Attributes and `name!` macros share one namespace in Rust. The two spellings stand side by side because the attribute
//! is imported by its name and the block by a glob. A module that says `use super::*;` inherits the attribute only, and a
//! second glob would be ambiguous: write `lock::prelude::lock!(..)` there, or import what you need by name instead of
//! `super::*`.

/// Runs a block under a lock: `lock!("user:{id}", wait = "1s", { .. })`.
#[doc(inline)]
pub use lock_macros::lock_block as lock;
/// Runs a block under the lock of a model: `lock_model!(order, field = "bar", { .. })`.
#[doc(inline)]
pub use lock_macros::lock_model_block as lock_model;

pub use crate::model::{Model, Refresh, RefreshAsync};
pub use lock_macros::Model;
