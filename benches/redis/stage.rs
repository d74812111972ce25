//! What a figure is measured with.

use std::time::Duration;

use benches::order::Effort;
pub(crate) use benches::stage::{Findings, Threads, players};

use crate::server::Server;

/// What a figure is measured with.
pub(crate) struct Stage {
    pub(crate) effort: Effort,
    pub(crate) server: Server,
}

impl Stage {
    /// How long to wait in all, for each set of rounds, until other programs let it be measured.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(if self.effort.quick { 0 } else { 3 })
    }
}
