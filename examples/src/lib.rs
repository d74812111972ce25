//! One idea per example, each runnable as it stands: `cargo run --example quickstart`.
//!
//! | example | shows |
//! |---|---|
//! | `quickstart` | eight processes, one file of accounts: without a lock, then under `#[lock("ledger")]` |
//! | `model` | locking one row by its key, and reloading it before it is changed |
//! | `model_sqlx` | the same on a database, in async code: the row loads itself again (`--features sqlx`) |
//! | `model_diesel` | the same with blocking connections: the row is loaded again from an argument (`--features diesel`) |
//! | `blocks` | `lock!` around a few lines, with a value, with `?`, with the guard, in async code |
//! | `async_tasks` | tasks that wait, give up, and are told that their lease is gone |
//! | `custom_backend` | a store of one's own behind the same locks |
//! | `redis_workers` | workers over Redis, cancelled when their lease is lost (`--features redis`, needs `redis-server`) |
//!
//! Each ends with a non-zero exit code if what it prints did not happen.
