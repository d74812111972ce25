//! The connections of this process to a server: a few for the background thread, and a few for blocking callers, who are
//! served sooner in their own thread; with `on_runtime=yes`, also a few on each [runtime](crate::backends::on_runtime) of
//! async callers. Each is lent to one call at a time.
//!
//! What may interleave: a call may be dropped at any point, on time or not, and its connection with it, as an answer
//! that comes late would be taken for that of the next call. A call that fails takes all idle connections with it: they
//! are as old as its own, and the server may be another by now.

use std::{
    ops::DerefMut,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;

use super::{
    address::Address,
    alive,
    clock::{Clock, Reading},
    names,
    wire::{ANSWERING, Broken, Command, Connection, Reply},
};
use crate::{
    backend::Fault,
    backends::{
        on_runtime::Pools,
        pool::{self, Pool},
    },
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
    shared: Arc<Pool<Connection>>,
    blocking: Arc<Pool<Connection>>,
    /// For async callers, if there are to be any.
    on_runtimes: Option<Pools<Connection>>,
    attended: Mutex<Attended>,
}

/// Whoever waits for the end of the server.
struct Attended {
    process: u32,
    task: Option<AbortHandle>,
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self {
            clock: Clock::default(),
            shared: Pool::new(MOST),
            blocking: Pool::new(MOST),
            on_runtimes: address.on_runtime.then(Pools::new),
            attended: Mutex::new(Attended { process: std::process::id(), task: None }),
            address,
        }
    }

    /// A connection, when one is free.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Fault> {
        let lent = self.shared.get(|| self.connect()).await?;
        Ok(Lent::new(self, lent, Limit::Answering))
    }

    /// A connection for the thread of a blocking caller, who has so much time. `None`: there is none free, or to be had.
    pub(super) fn lend_blocking(self: &Arc<Self>, limit: Duration) -> Option<Lent> {
        let until = Instant::now() + limit;
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
        let lent = self.blocking.get_now(connect)?;
        Some(Lent::new(self, lent, Limit::Until(until)))
    }

    /// A connection of an async caller's runtime for him to poll, who sees to the time it takes. `None`: there is none idle, or
    /// there are not to be any: to poll one of the background thread's takes twice as long as to leave it all to the thread,
    /// as each of two round trips would come by it.
    pub(super) fn lend_here(self: &Arc<Self>) -> Option<Lent> {
        let link = Arc::downgrade(self);
        let connect = move || {
            let link = link.clone();
            async move {
                let link = link.upgrade().ok_or_else(|| Fault::failed("nobody needs it any more"))?;
                link.connect().await
            }
        };
        let lent = self.on_runtimes.as_ref()?.lend(connect)?;
        Some(Lent::new(self, lent, Limit::Callers))
    }

    /// A connection on the runtime that this is called on.
    async fn connect(self: &Arc<Self>) -> Result<Connection, Fault> {
        let connection = Connection::connect(&self.address).await?;
        self.attend();
        Ok(connection)
    }

    fn attended(&self) -> impl DerefMut<Target = Attended> + '_ {
        let mut attended = sync::lock(&self.attended);
        let process = std::process::id();
        if attended.process != process {
            // A forked child has not got that thread.
            *attended = Attended { process, task: None };
        }
        attended
    }

    /// Has somebody wait for the end of the server, if nobody does.
    fn attend(self: &Arc<Self>) {
        let mut attended = self.attended();
        if attended.task.is_some() {
            return;
        }
        match background::spawn(alive::attend(Arc::downgrade(self))) {
            Ok(task) => attended.task = Some(task.abort_handle()),
            Err(error) => tracing::warn!(%error, "a restart of the server will not be noticed early"),
        }
    }

    /// Nobody waits for the end of the server any more.
    pub(super) fn unattended(&self) {
        self.attended().task = None;
    }

    pub(super) fn give_up(&self) {
        self.shared.clear();
        self.blocking.clear();
        if let Some(pools) = &self.on_runtimes {
            pools.clear();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(attended) = self.attended().task.take() {
            attended.abort();
        }
    }
}

/// A connection for one call. It is kept for the next one only if it is given back by [`finish`](Self::finish).
pub(super) struct Lent {
    link: Arc<Link>,
    of_pool: pool::Lent<Connection>,
    limit: Limit,
    /// An exchange has failed, and it is of no use any more.
    broken: bool,
    /// When the last exchange was begun.
    sent: Moment,
}

/// What ends an exchange that takes too long.
#[derive(Clone, Copy)]
enum Limit {
    /// A timer of the background thread.
    Answering,
    /// The socket of a blocking caller.
    Until(Instant),
    /// The caller, wherever he is.
    Callers,
}

impl Lent {
    fn new(link: &Arc<Link>, of_pool: pool::Lent<Connection>, limit: Limit) -> Self {
        Self { link: Arc::clone(link), of_pool, limit, broken: false, sent: Moment::now() }
    }

    /// Sends commands in one go.
    pub(super) async fn exchange<const N: usize>(
        &mut self,
        commands: [Command; N],
    ) -> Result<[Reply; N], Broken> {
        let connection = &mut self.of_pool.connection;
        if let Limit::Until(until) = self.limit {
            connection.limit(until.saturating_duration_since(Instant::now()));
        }
        let timer = matches!(self.limit, Limit::Answering).then_some(ANSWERING);
        self.sent = Moment::now();
        let answer = connection.exchange(commands, &self.link.address, timer).await;
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
        if self.broken { self.of_pool.discard() } else { self.of_pool.give_back() }
    }
}
