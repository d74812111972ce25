//! The stores, side by side.

pub mod file;
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub mod redis;

pub use file::File;
#[cfg(feature = "redis")]
pub use redis::Redis;
