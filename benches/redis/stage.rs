//! What a figure is given, and what it comes back with.

use std::{fmt, sync::Arc, time::Duration};

use benches::{
    Result,
    order::Effort,
    report::{self, Row},
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

/// What a figure found: a section of the page.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) title: String,
    /// What is demanded.
    pub(crate) rows: Vec<Row>,
    /// Everybody beside each other, the head first.
    pub(crate) grid: Vec<Vec<String>>,
    /// What one has to know to read it.
    pub(crate) about: String,
    pub(crate) panels: Vec<Panel>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}", self.title)?;
        if !self.rows.is_empty() {
            write!(f, "\n{}", report::table(&self.rows))?;
        }
        if !self.about.is_empty() {
            write!(f, "\n{}\n", self.about)?;
        }
        if !self.grid.is_empty() {
            write!(f, "\n{}", report::grid(&self.grid))?;
        }
        Ok(())
    }
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
