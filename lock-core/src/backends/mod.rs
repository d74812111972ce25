//! The stores, side by side.

pub mod file;
pub(crate) mod memory;

pub use file::File;
