//! The stores, side by side.

mod encoded;
pub mod file;
#[cfg(feature = "memcached")]
pub mod memcached;
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub mod redis;

pub use file::File;
#[cfg(feature = "memcached")]
pub use memcached::Memcached;
#[cfg(feature = "redis")]
pub use redis::Redis;
