//! What users write, in edition 2024, with every lint that users may have turned on.
#![deny(
    warnings,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unused,
    unreachable_pub,
    elided_lifetimes_in_paths
)]

#[path = "../../imports.rs"]
pub mod imports;
#[path = "../../shapes.rs"]
pub mod shapes;
#[path = "../../shapes_async.rs"]
pub mod shapes_async;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "../../temporaries.rs"]
mod temporaries;
