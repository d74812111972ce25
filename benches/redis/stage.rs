//! What a figure is given, and what it comes back with.

use std::{sync::Arc, time::Duration};

use benches::{
    Result,
    order::Effort,
    report::{Grid, Row},
};
use tokio::runtime::{Builder, Runtime};

use crate::{
    chart::Panel,
    contender::{Contender, Entry},
    server::Server,
};

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

/// What a figure found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) rows: Vec<Row>,
    pub(crate) grids: Vec<Grid>,
    pub(crate) panels: Vec<Panel>,
}

/// The runtime of asynchronous callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    One,
    Many,
}

impl Threads {
    pub(crate) fn runtime(self) -> Result<Runtime> {
        let mut builder = match self {
            Self::One => Builder::new_current_thread(),
            Self::Many => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one thread",
            Self::Many => "several threads",
        }
    }
}

/// A contender on a runtime, with a key of its own.
pub(crate) struct Player {
    pub(crate) name: &'static str,
    pub(crate) contender: Arc<dyn Contender>,
    pub(crate) key: String,
}

/// Connects a field of contenders, each with its own connections.
pub(crate) fn players(runtime: &Runtime, field: &[Entry], url: &str, key: &str) -> Result<Vec<Player>> {
    let connect = |entry: &Entry| {
        let contender = runtime.block_on(entry.connect(url));
        let contender = contender.map_err(|error| format!("{}: {error}", entry.name))?;
        Ok(Player { name: entry.name, contender, key: entry.key(key) })
    };
    field.iter().map(connect).collect()
}
