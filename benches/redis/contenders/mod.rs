//! The contenders, a file each.

pub(crate) mod blpop;
pub(crate) mod distributed_lock;
pub(crate) mod ours;
pub(crate) mod passed_on;
pub(crate) mod raw;
pub(crate) mod redis_lock;
pub(crate) mod redissun;
pub(crate) mod rlock;
pub(crate) mod rslock;
