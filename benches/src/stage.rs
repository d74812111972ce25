//! What a figure comes back with, and the contenders on their runtime.

use std::{fmt, sync::Arc};

use tokio::runtime::{Builder, Runtime};

use crate::{
    Result,
    chart::Panel,
    contender::{Contender, Entry},
    report::{self, Row},
};

/// What a figure found: a section of the page.
#[derive(Debug, Default)]
pub struct Findings {
    /// Its heading.
    pub title: String,
    /// What is demanded.
    pub rows: Vec<Row>,
    /// Everybody beside each other, the head first.
    pub grid: Vec<Vec<String>>,
    /// What one has to know to read it.
    pub about: String,
    /// What of it is drawn.
    pub panels: Vec<Panel>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// That of its user alone.
    One,
    /// As many as there are processors.
    Many,
}

impl Threads {
    /// Starts one.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn runtime(self) -> Result<Runtime> {
        let mut builder = match self {
            Self::One => Builder::new_current_thread(),
            Self::Many => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }

    /// As the figures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one thread",
            Self::Many => "several threads",
        }
    }
}

/// A contender on a runtime, with a key of its own.
#[expect(missing_debug_implementations, reason = "locks of others have none")]
pub struct Player {
    /// As the figures call it.
    pub name: &'static str,
    /// Its lock.
    pub contender: Arc<dyn Contender>,
    /// Its key.
    pub key: String,
}

/// Connects a field of contenders, each with its own connections.
///
/// # Errors
/// If one cannot be connected.
pub fn players(runtime: &Runtime, field: &[Entry], url: &str, key: &str) -> Result<Vec<Player>> {
    let connect = |entry: &Entry| {
        let contender = runtime.block_on(entry.connect(url));
        let contender = contender.map_err(|error| format!("{}: {error}", entry.name))?;
        Ok(Player { name: entry.name, contender, key: entry.key(key) })
    };
    field.iter().map(connect).collect()
}
