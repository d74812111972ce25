//! The connections of this process to a server: a few, each lent to one call at a time.
//!
//! What may interleave: a call may be dropped at any point, on time or not, and its connection with it, as an answer
//! that comes late would be taken for that of the next call. A call that fails takes all idle connections with it: they
//! are as old as its own, and the server may be another by now.

use std::{mem, ops::DerefMut, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    address::Address,
    wire::{Command, Connection, Reply},
};
use crate::{
    backend::Fault,
    sync::{self, Mutex},
};

/// Calls under way at once; others wait for theirs.
const MOST: usize = 8;
/// How long making a connection may take.
const CONNECTING: Duration = Duration::from_secs(2);

pub(super) struct Link {
    pub(super) address: Address,
    state: Mutex<State>,
}

struct State {
    process: u32,
    slots: Arc<Semaphore>,
    idle: Vec<Connection>,
    /// Counts the times that all of them were given up.
    round: u64,
}

impl State {
    fn new() -> Self {
        Self {
            process: std::process::id(),
            slots: Arc::new(Semaphore::new(MOST)),
            idle: Vec::new(),
            round: 0,
        }
    }
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self { address, state: Mutex::new(State::new()) }
    }

    /// A connection, when one is free.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Fault> {
        let slots = Arc::clone(&self.state().slots);
        let slot = slots.acquire_owned().await.map_err(Fault::failed)?;
        let (idle, round) = {
            let mut state = self.state();
            (state.idle.pop(), state.round)
        };
        let connection = match idle {
            Some(connection) => connection,
            None => tokio::time::timeout(CONNECTING, Connection::connect(&self.address)).await.map_err(
                |_| Fault::failed(format!("{}: no connection within {CONNECTING:?}", self.address)),
            )??,
        };
        Ok(Lent { link: Arc::clone(self), connection, round, _slot: slot })
    }

    fn state(&self) -> impl DerefMut<Target = State> + '_ {
        let mut state = sync::lock(&self.state);
        if state.process != std::process::id() {
            // A forked child: they are its parent's, and closing them is not for the child to do.
            let parents = mem::replace(&mut *state, State::new());
            mem::forget(parents.idle);
        }
        state
    }

    fn give_up(&self) {
        let idle = {
            let mut state = self.state();
            state.round += 1;
            mem::take(&mut state.idle)
        };
        drop(idle);
    }
}

/// A connection for one call. It is kept for the next one only if it is given back by [`finish`](Self::finish).
pub(super) struct Lent {
    link: Arc<Link>,
    connection: Connection,
    round: u64,
    _slot: OwnedSemaphorePermit,
}

impl Lent {
    /// Sends commands in one go.
    pub(super) async fn exchange<const N: usize>(
        &mut self,
        commands: [Command; N],
    ) -> Result<[Reply; N], Fault> {
        let answer = self.connection.exchange(commands, &self.link.address).await;
        if answer.is_err() {
            self.link.give_up();
        }
        answer
    }

    pub(super) fn finish(self) {
        let mut state = self.link.state();
        if state.round == self.round {
            state.idle.push(self.connection);
        }
    }
}
