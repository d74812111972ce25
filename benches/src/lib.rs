//! Measuring side by side: interleaved rounds, medians, and a table of what is demanded.
//!
//! The figures themselves are in `figures/`, `redis/` and `stores/`, one file each; `cargo bench -p benches` prints them all and
//! writes the pages in `docs/`, `cargo bench -p benches -- --quick` takes a minute or so and only prints.

pub mod alarm;
pub mod calls;
pub mod chart;
pub mod columns;
pub mod contender;
pub mod cores;
pub mod crew;
pub mod hand_over;
pub mod machine;
pub mod order;
pub mod page;
pub mod part;
pub mod report;
pub mod rounds;
pub mod stage;
pub mod turns;

/// Anything may go wrong while measuring; what it was is printed.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
