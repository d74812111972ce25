//! What a figure is measured with.

use std::time::Duration;

pub(crate) use benches::stage::{Findings, Threads, players};
use benches::{
    Result,
    order::{Effort, Order},
};

use crate::{
    servers::Server,
    store::{STORES, Store},
};

/// The stores that take part, each with a server of its own.
pub(crate) struct Stage {
    pub(crate) effort: Effort,
    pub(crate) places: Vec<Place>,
}

/// A store and its server.
pub(crate) struct Place {
    pub(crate) store: &'static Store,
    pub(crate) server: Server,
}

impl Stage {
    /// Starts the servers of the stores that are named, or of all.
    pub(crate) fn begin(order: &Order) -> Result<Self> {
        let all = !STORES.iter().any(|store| order.names(store.name));
        let wanted = STORES.iter().filter(|store| all || order.names(store.name));
        let runtime = Threads::One.runtime()?;
        let places = wanted.map(|store| {
            let server = (store.start)();
            // Whoever comes first makes the tables, which two at once could not.
            players(&runtime, store.field, &server.url, "first")?;
            Ok(Place { store, server })
        });
        Ok(Self { effort: order.effort, places: places.collect::<Result<_>>()? })
    }

    /// How long to wait in all, for each set of rounds, until other programs let it be measured.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(if self.effort.quick { 0 } else { 2 })
    }
}
