//! The connections of this process to a server: a few for the background thread, and a few for blocking callers, who are
//! served sooner in their own thread. Each is lent to one call at a time.
//!
//! What may interleave: a call may be dropped at any point, on time or not, and its connection with it, as an answer
//! that comes late would be taken for that of the next call. A call that fails takes all idle connections with it: they
//! are as old as its own, and the server may be another by now.

use std::{
    mem,
    ops::DerefMut,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};

use super::{
    address::Address,
    alive,
    clock::{Clock, Reading},
    names,
    wire::{Broken, Command, Connection, Reply},
};
use crate::{
    backend::Fault,
    background,
    clock::{self, Moment},
    randomness,
    sync::{self, Mutex},
};

/// Calls under way at once, of the background thread and of blocking callers each. On the thread others wait for theirs;
/// a blocking caller that finds none goes through the thread.
const MOST: usize = 8;
/// How long making a connection may take in the thread of a blocking caller.
const CONNECTING_HERE: Duration = Duration::from_secs(1);
/// How many seconds the item lives that tells the time: more than a lock can.
const CLOCK_LASTS: u64 = 2 * 365 * 24 * 60 * 60;

pub(super) struct Link {
    pub(super) address: Address,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    process: u32,
    shared: Pool,
    blocking: Pool,
    /// Whoever waits for the end of the server.
    attended: Option<AbortHandle>,
    /// Counts the times that all of them were given up.
    round: u64,
}

/// Connections of a kind.
struct Pool {
    slots: Arc<Semaphore>,
    idle: Vec<Connection>,
}

impl State {
    fn new() -> Self {
        Self {
            process: std::process::id(),
            shared: Pool::new(),
            blocking: Pool::new(),
            attended: None,
            round: 0,
        }
    }
}

impl Pool {
    fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(MOST)), idle: Vec::new() }
    }
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self { address, clock: Clock::default(), state: Mutex::new(State::new()) }
    }

    /// A connection, when one is free.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Fault> {
        let slots = Arc::clone(&self.state().shared.slots);
        let slot = slots.acquire_owned().await.map_err(Fault::failed)?;
        let (idle, round) = {
            let mut state = self.state();
            (state.shared.idle.pop(), state.round)
        };
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = Connection::connect(&self.address).await?;
                self.attend();
                connection
            }
        };
        Ok(Lent::new(self, connection, round, None, slot))
    }

    /// A connection for the thread of a blocking caller, who has so much time. `None`: there is none free, or to be had.
    pub(super) fn lend_blocking(self: &Arc<Self>, limit: Duration) -> Option<Lent> {
        let until = Instant::now() + limit;
        let (slot, idle, round) = {
            let mut state = self.state();
            let slot = Arc::clone(&state.blocking.slots).try_acquire_owned().ok()?;
            (slot, state.blocking.idle.pop(), state.round)
        };
        let connect = || match Connection::connect_blocking(&self.address, limit.min(CONNECTING_HERE)) {
            Ok(connection) => {
                self.attend();
                Some(connection)
            }
            Err(fault) => {
                tracing::debug!(%fault, "no connection of its own for a blocking call");
                None
            }
        };
        let connection = idle.or_else(connect)?;
        Some(Lent::new(self, connection, round, Some(until), slot))
    }

    fn state(&self) -> impl DerefMut<Target = State> + '_ {
        let mut state = sync::lock(&self.state);
        if state.process != std::process::id() {
            // A forked child: they are its parent's, and closing them is not for the child to do.
            let parents = mem::replace(&mut *state, State::new());
            mem::forget((parents.shared.idle, parents.blocking.idle));
        }
        state
    }

    /// Has somebody wait for the end of the server, if nobody does.
    fn attend(self: &Arc<Self>) {
        let mut state = self.state();
        if state.attended.is_some() {
            return;
        }
        match background::spawn(alive::attend(Arc::downgrade(self))) {
            Ok(task) => state.attended = Some(task.abort_handle()),
            Err(error) => tracing::warn!(%error, "a restart of the server will not be noticed early"),
        }
    }

    /// Nobody waits for the end of the server any more.
    pub(super) fn unattended(&self) {
        self.state().attended = None;
    }

    pub(super) fn give_up(&self) {
        let idle = {
            let mut state = self.state();
            state.round += 1;
            (mem::take(&mut state.shared.idle), mem::take(&mut state.blocking.idle))
        };
        drop(idle);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(attended) = self.state().attended.take() {
            attended.abort();
        }
    }
}

/// A connection for one call. It is kept for the next one only if it is given back by [`finish`](Self::finish).
pub(super) struct Lent {
    link: Arc<Link>,
    connection: Connection,
    round: u64,
    /// Until when it may block its thread.
    until: Option<Instant>,
    /// An exchange has failed, and it is of no use any more.
    broken: bool,
    /// When the last exchange was begun.
    sent: Moment,
    _slot: OwnedSemaphorePermit,
}

impl Lent {
    fn new(
        link: &Arc<Link>,
        connection: Connection,
        round: u64,
        until: Option<Instant>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let (link, sent) = (Arc::clone(link), Moment::now());
        Self { link, connection, round, until, broken: false, sent, _slot: slot }
    }

    /// Sends commands in one go.
    pub(super) async fn exchange<const N: usize>(
        &mut self,
        commands: [Command; N],
    ) -> Result<[Reply; N], Broken> {
        if let Some(until) = self.until {
            self.connection.limit(until.saturating_duration_since(Instant::now()));
        }
        self.sent = Moment::now();
        let answer = self.connection.exchange(commands, &self.link.address).await;
        self.broken |= answer.is_err();
        if answer.as_ref().is_err_and(|broken| !broken.is_about_a_foreign_item) {
            self.link.give_up();
        }
        answer
    }

    /// By how many seconds the server's clock was behind in the last exchange, by its answer to a look at it. What was to
    /// live for some time may be gone by so much sooner.
    ///
    /// # Errors
    /// If it stood still: nobody knows then.
    pub(super) async fn behind(&mut self, told: &Reply) -> Result<u64, Fault> {
        match self.read_clock(told) {
            None => self.make_clock().await.map(|()| 0),
            Some(Reading::Behind(seconds)) => Ok(seconds),
            Some(Reading::StoodStill) => Err(Fault::failed(format!(
                "{}: the server's clock stood still, so that nobody knows how long a lock lasts; it was stopped",
                self.link.address
            ))
            .maybe_executed()),
        }
    }

    /// The second that the server is in, or the one before.
    pub(super) async fn second(&mut self) -> Result<u64, Fault> {
        if self.link.clock.second().is_none() {
            self.make_clock().await?;
        }
        let second = self.link.clock.second();
        second
            .ok_or_else(|| Fault::failed(format!("{}: the server does not tell its time", self.link.address)))
    }

    fn read_clock(&self, told: &Reply) -> Option<Reading> {
        let item = told.value.as_ref()?;
        let date: u64 = str::from_utf8(item).ok()?.split(' ').nth(1)?.parse().ok()?;
        let second = date.checked_sub(u64::try_from(told.left?).ok()?)?;
        Some(self.link.clock.read(item, second, self.sent, Moment::now()))
    }

    async fn make_clock(&mut self) -> Result<(), Fault> {
        let date = clock::unix_micros() / 1_000_000 + CLOCK_LASTS;
        let random = randomness::bits().map_err(Fault::failed)?;
        let item = format!("lock/1 {date} {random:032x}");
        let [_, told] = self
            .exchange([Command::write_new(names::CLOCK, item, date), Command::look(names::CLOCK)])
            .await?;
        self.read_clock(&told).map(drop).ok_or_else(|| {
            Fault::failed(format!(
                "{}: the item {:?} is not what it is to be, or the server's clock is years away from ours",
                self.link.address,
                names::CLOCK
            ))
            .maybe_executed()
        })
    }

    pub(super) fn finish(self) {
        let mut state = self.link.state();
        if !self.broken && state.round == self.round {
            let pool = if self.until.is_some() { &mut state.blocking } else { &mut state.shared };
            pool.idle.push(self.connection);
        }
    }
}
