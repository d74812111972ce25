//! The stores, side by side.

#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "redis"))]
mod authority;
mod encoded;
pub mod file;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    allow(dead_code, unreachable_pub, reason = "a file needs no runtime")
)]
mod in_thread;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
mod mailbox;
#[cfg(feature = "memcached")]
pub mod memcached;
pub(crate) mod memory;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "redis"))]
mod on_runtime;
#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "sqlite"))]
#[cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, unreachable_pub, reason = "not every store needs all of it")
)]
mod pool;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#[cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, unreachable_pub, unused_imports, reason = "not every database needs all of it")
)]
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod tls;

pub use file::File;
#[cfg(feature = "memcached")]
pub use memcached::Memcached;
#[cfg(feature = "mysql")]
pub use mysql::MySql;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
