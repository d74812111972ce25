//! The one connection of this process to a server: made at first need, watched, and made anew when it breaks.
//!
//! What may interleave: many callers may need it at once, it may break at any moment, and a caller may go away while
//! it waits for it. One caller at a time connects, the others wait for what comes of it; a failure counts for all who
//! come within a moment. Connections are numbered, so that the end of an old one does not end its successor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, PushInfo, RedisError, aio::MultiplexedConnection};
use tokio::sync::{Notify, mpsc};

use super::{
    address::Address, checks, crowd::Crowds, fault, local::Local, pool::Pool, pushes, scripts::Scripts,
    waiters::Waiters,
};
use crate::{
    backend::Fault,
    backends::on_runtime::OnRuntimes,
    lease::Owner,
    signal::Signal,
    sync::{self, Mutex},
};

/// How long making a connection may take.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long a failure to connect counts for all who come, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Requests under way at once before callers wait to send theirs.
const UNDER_WAY: usize = 1024;

pub(super) struct Link {
    pub(super) address: Address,
    client: Client,
    /// Where the server tells this process of locks that were passed on to it, but for the process's number.
    channel: String,
    pub(super) scripts: Scripts,
    state: Mutex<State>,
    pub(super) waiters: Waiters,
    pub(super) pool: Pool,
    pub(super) locals: Arc<OnRuntimes<Local>>,
    /// For connections on which nobody is told anything.
    pub(super) plain: Client,
    /// Those who ask on the shared connection.
    pub(super) crowds: Crowds,
    /// The user may not ask for many at once.
    pub(super) refused: AtomicBool,
    /// An answer did not come in time.
    pub(super) suspected: Arc<Notify>,
    warned: AtomicBool,
    pub(super) noted: AtomicBool,
}

impl Drop for Link {
    fn drop(&mut self) {
        // Whoever attends to the connection closes it at once, and not at the next heartbeat.
        self.suspected.notify_one();
    }
}

#[derive(Default)]
struct State {
    process: u32,
    /// Held by who connects.
    connecting: Arc<tokio::sync::Mutex<()>>,
    number: u64,
    up: Option<Arc<Up>>,
    failed: Option<Failed>,
}

/// A connection, and what was learnt when it was made.
pub(super) struct Up {
    pub(super) number: u64,
    pub(super) process: u32,
    pub(super) connection: MultiplexedConnection,
    /// Fires when it is given up: whatever still waits for an answer then has waited for long enough.
    pub(super) ended: Arc<Signal>,
    /// `channel within `, the first part of a place in line: where this process listens, and how soon it claims what is
    /// passed on to it, in ms. `None`: it cannot be told.
    pub(super) told: Option<Arc<str>>,
}

struct Failed {
    fault: Fault,
    until: Instant,
    pause: Duration,
}

impl Link {
    /// `client` speaks RESP3, for pushes beside answers on one connection; `plain` need not.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the operating system has no randomness to give.
    pub(super) fn new(address: Address, client: Client, plain: Client) -> crate::Result<Arc<Self>> {
        let channel = format!("lock:waiters:{}", Owner::random()?);
        Ok(Arc::new(Self {
            address,
            client,
            channel,
            scripts: Scripts::new(),
            state: Mutex::default(),
            waiters: Waiters::default(),
            pool: Pool::new(plain.clone()),
            locals: OnRuntimes::new(),
            plain,
            crowds: Crowds::default(),
            refused: AtomicBool::new(false),
            suspected: Arc::default(),
            warned: AtomicBool::new(false),
            noted: AtomicBool::new(false),
        }))
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// The connection, if there is one.
    pub(super) fn is_up(&self) -> Option<Arc<Up>> {
        self.known().ok().flatten()
    }

    /// The connection, made if there is none.
    pub(super) async fn up(self: &Arc<Self>) -> Result<Arc<Up>, Fault> {
        if let Some(up) = self.known()? {
            return Ok(up);
        }
        // In a task of its own: who needs it may have less time than it takes, and others need it as well.
        let link = Arc::clone(self);
        let connecting = tokio::spawn(async move { link.connect_once().await });
        connecting.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed)))
    }

    async fn connect_once(self: &Arc<Self>) -> Result<Arc<Up>, Fault> {
        let connecting = Arc::clone(&sync::lock(&self.state).connecting);
        let _one = connecting.lock().await;
        if let Some(up) = self.known()? {
            return Ok(up);
        }
        let connected = tokio::time::timeout(CONNECTING, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| {
            Err(Fault::failed(format!("{}: no connection within {CONNECTING:?}", self.address)))
        });
        let mut state = sync::lock(&self.state);
        match connected {
            Ok((up, pushes)) => {
                state.failed = None;
                let up = Arc::new(up);
                state.up = Some(Arc::clone(&up));
                drop(state);
                // Whoever waited on the last connection may have missed something since.
                self.waiters.wake_all();
                drop(tokio::spawn(pushes::attend(Arc::downgrade(self), Arc::clone(&up), pushes)));
                Ok(up)
            }
            Err(fault) => {
                let pause = state.failed.take().map_or(PAUSE.0, |failed| (failed.pause * 2).min(PAUSE.1));
                state.failed = Some(Failed { fault: fault.clone(), until: Instant::now() + pause, pause });
                Err(fault)
            }
        }
    }

    fn known(&self) -> Result<Option<Arc<Up>>, Fault> {
        let mut state = sync::lock(&self.state);
        let process = std::process::id();
        if state.process != process {
            // A forked child: the connection is its parent's, and closing it is not for the child to do.
            std::mem::forget(state.up.take());
            state.connecting = Arc::default();
            state.process = process;
        }
        if let Some(up) = &state.up {
            return Ok(Some(Arc::clone(up)));
        }
        match &state.failed {
            Some(failed) if Instant::now() < failed.until => Err(failed.fault.clone()),
            _ => Ok(None),
        }
    }

    async fn connect(&self) -> Result<(Up, mpsc::UnboundedReceiver<PushInfo>), Fault> {
        let number = {
            let mut state = sync::lock(&self.state);
            state.number += 1;
            state.number
        };
        let (pushes, pushed) = mpsc::unbounded_channel();
        // Limits are set around each call: the client's own would leave a command behind and say less.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(UNDER_WAY)
            .set_push_sender(pushes);
        let failed = |error: RedisError| fault::of_a_connection(&error, &self.address);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.map_err(failed)?;
        let first = !self.warned.load(Ordering::Relaxed);
        checks::refuse_a_replica(&mut connection, &self.address, first).await?;
        if first {
            checks::warn_of_eviction(&mut connection, &self.address).await;
            self.warned.store(true, Ordering::Relaxed);
        }
        let process = std::process::id();
        let channel = format!("{}:{process}", self.channel);
        let sent = Instant::now();
        let told = match connection.subscribe(&channel).await {
            Ok(()) => Some(format!("{channel} {} ", claims_within(sent.elapsed()).as_millis()).into()),
            Err(error) if fault::is_denied(&error) => {
                tracing::warn!(
                    address = %self.address,
                    %error,
                    "the user may not subscribe to lock:waiters:*, so that waiting callers look again every `retry`"
                );
                None
            }
            Err(error) => return Err(failed(error)),
        };
        Ok((Up { number, process, connection, ended: Arc::default(), told }, pushed))
    }

    /// The connection of this number is of no use any more.
    pub(super) fn down(&self, number: u64) {
        let mut state = sync::lock(&self.state);
        let over =
            if state.up.as_ref().is_some_and(|up| up.number == number) { state.up.take() } else { None };
        drop(state);
        if let Some(up) = over {
            up.ended.fire();
            self.pool.clear();
            self.locals.clear();
            tracing::debug!(address = %self.address, "connection lost");
            self.waiters.wake_all();
        }
    }
}

/// Long enough for an answer on a busy day, short enough for a waiter that died just then not to be waited for.
fn claims_within(round_trip: Duration) -> Duration {
    (round_trip * 20).clamp(Duration::from_millis(50), Duration::from_secs(2))
}
