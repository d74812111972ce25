//! Measuring side by side: interleaved rounds, medians, and a table of what is demanded.
//!
//! The figures themselves are in `figures/`, one file each; `cargo bench -p benches` prints them all and writes
//! `docs/figures.md`, `cargo bench -p benches -- --quick` takes half a minute and only prints.

pub mod machine;
pub mod report;
pub mod rounds;

/// Anything may go wrong while measuring; what it was is printed.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
