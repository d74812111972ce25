//! Connections on the runtimes of async callers: a call on one of them costs no hop through the background thread.
//!
//! Only with `on_runtime=yes`: whether a runtime has input and output, and timers, cannot be asked, and one without says
//! it by a panic. That would be caught here, but not before whatever the program does about panics.
//!
//! What may interleave: a runtime may end at any moment, and its connection with it. Nothing depends on these: who finds
//! none, or one that breaks, goes through the background thread. A connection goes with the task that made it, which
//! its runtime drops when it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};

use crate::{
    background,
    sync::{self, Mutex},
};

/// How long making one may take.
const CONNECTING: Duration = Duration::from_secs(1);
/// Requests under way at once before callers wait to send theirs.
const UNDER_WAY: usize = 1024;

pub(super) struct Locals {
    client: Client,
    runtimes: Mutex<Runtimes>,
}

#[derive(Default)]
struct Runtimes {
    local: HashMap<Id, Local>,
    /// Numbers the connections, so that the end of an old one does not end its successor.
    last: u64,
}

impl Runtimes {
    fn of(&mut self, place: Place) -> Option<&mut Local> {
        self.local.get_mut(&place.runtime).filter(|local| local.number == place.number)
    }
}

/// Which of them it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    runtime: Id,
    number: u64,
}

struct Local {
    process: u32,
    number: u64,
    /// `None`: it is being made, or cannot be made here.
    connection: Option<MultiplexedConnection>,
    /// `None` while it is being begun, and for a runtime that cannot have one: a handle would keep its memory.
    task: Option<AbortHandle>,
}

impl Locals {
    pub(super) fn new(client: Client) -> Arc<Self> {
        Arc::new(Self { client, runtimes: Mutex::default() })
    }

    /// The connection on the caller's runtime. Where there is none yet it is made, for the next call.
    pub(super) fn get(self: &Arc<Self>, process: u32) -> Option<(Place, MultiplexedConnection)> {
        if background::is_current() {
            return None;
        }
        let handle = Handle::try_current().ok()?;
        let runtime = handle.id();
        let mut runtimes = sync::lock(&self.runtimes);
        match runtimes.local.get(&runtime) {
            Some(local) if local.process == process => {
                let place = Place { runtime, number: local.number };
                return local.connection.clone().map(|connection| (place, connection));
            }
            // A forked child: it is its parent's, and closing it is not for the child to do.
            Some(_) => std::mem::forget(runtimes.local.remove(&runtime)),
            None => {}
        }
        runtimes.last += 1;
        let place = Place { runtime, number: runtimes.last };
        runtimes.local.insert(runtime, Local { process, number: place.number, connection: None, task: None });
        drop(runtimes);
        // Made here, so that it forgets the runtime also if that ends before it begins: at once, if it has ended already.
        let end = End { locals: Arc::downgrade(self), place };
        let task = handle.spawn(keep(end, self.client.clone()));
        match sync::lock(&self.runtimes).of(place) {
            Some(local) => local.task = Some(task.abort_handle()),
            None => task.abort(),
        }
        None
    }

    fn connected(&self, place: Place, connection: MultiplexedConnection) {
        if let Some(local) = sync::lock(&self.runtimes).of(place) {
            local.connection = Some(connection);
        }
    }

    /// It is of no use any more; the next call makes another.
    pub(super) fn remove(&self, place: Place) {
        let mut runtimes = sync::lock(&self.runtimes);
        let known = runtimes.of(place).is_some();
        let removed = known.then(|| runtimes.local.remove(&place.runtime));
        drop(runtimes);
        drop(removed);
    }

    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut sync::lock(&self.runtimes).local);
        drop(all);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Makes the connection of a runtime, and forgets it with the runtime.
async fn keep(end: End, client: Client) {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(UNDER_WAY);
    match client.get_multiplexed_async_connection_with_config(&config).await {
        Ok(connection) => {
            let Some(locals) = end.locals.upgrade() else { return };
            locals.connected(end.place, connection);
            drop(locals);
            std::future::pending::<()>().await;
        }
        Err(error) => {
            tracing::debug!(%error, "no connection on the caller's runtime");
            tokio::time::sleep(CONNECTING).await;
        }
    }
}

/// The end of a runtime, or of its connection.
struct End {
    locals: Weak<Locals>,
    place: Place,
}

impl Drop for End {
    fn drop(&mut self) {
        let Some(locals) = self.locals.upgrade() else { return };
        if std::thread::panicking() {
            // A runtime that cannot have one is remembered as such: it would panic each time.
            if let Some(local) = sync::lock(&locals.runtimes).of(self.place) {
                local.task = None;
            }
        } else {
            locals.remove(self.place);
        }
    }
}
