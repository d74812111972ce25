//! Everybody's locks.

pub(crate) mod advisory;
pub(crate) mod bare;
pub(crate) mod memcached;
pub(crate) mod mysql;
pub(crate) mod ours;
pub(crate) mod postgres;
pub(crate) mod sqlite;
