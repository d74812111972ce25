//! The one session that has all the advisory locks of a client, and how it ends.
//!
//! A task owns the connection: it runs one statement after the other to its end, whoever still waits for the answer, and
//! reads what the server says by itself in between, so that the end of the session is known at once. What may interleave:
//! a caller that has gone is granted the lock (the task gives it back); the session ends while it is asked (the caller
//! gets an error, and every holder is told); the server ends it without our hearing of it (a heartbeat, and a deadline
//! counted from before the last one that was answered, which is sooner than the server gives up on us).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Executor, Row as _,
    postgres::{PgListener, PgPoolOptions, PgRow},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::{self, ends_connection},
    server::{self, Shown, Wire},
    waiting::Waiting,
};
use crate::{
    backend::{Fault, Tell},
    backends::sql::{Failed, Statement, Values},
    clock::Moment,
    race::{Either, race},
    sync::{self, Mutex},
};

/// How often the server is asked whether the session is still there, while a lock is held.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long an answer may take before the session is given up.
const ALIVE_WITHIN: Duration = Duration::from_secs(3);
/// For how long a holder believes in the session after an answer. The server keeps one that is silent for longer.
const BELIEVED: Duration = Duration::from_secs(8);
/// When the server gives up on us: after 4 + 3 × 2 seconds without a sign of our kernel.
const KEEPALIVE: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// What the session runs for a client.
pub(super) struct Script {
    pub(super) take: Statement,
    pub(super) free: Statement,
    pub(super) create: Statement,
}

/// A session, as its client sees it.
pub(super) struct Session {
    process: u32,
    jobs: mpsc::UnboundedSender<Job>,
    state: Arc<State>,
}

/// What is held on it.
#[derive(Default)]
struct State {
    /// Until when it is believed in.
    until: AtomicU64,
    held: Mutex<Option<HashMap<String, Held>>>,
}

impl State {
    /// Nobody believes in it any more.
    fn is_past(&self) -> bool {
        Moment::from_nanos(self.until.load(Ordering::Acquire)).has_passed()
    }

    fn is_held(&self, id: &str, owner: &str) -> bool {
        let held = sync::lock(&self.held);
        held.as_ref().and_then(|all| all.get(id)).is_some_and(|held| held.owner == owner)
    }
}

struct Held {
    owner: String,
    lock: i64,
    tokens: (i64, i64),
    tell: Vec<Tell>,
}

pub(super) enum Job {
    Take(Wanted, oneshot::Sender<Result<Option<(i64, i64)>, Fault>>),
    Free { id: String, owner: String, answer: oneshot::Sender<Result<bool, Fault>> },
}

/// A lock that is wanted.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) lock: i64,
    pub(super) key: String,
    pub(super) owner: String,
    pub(super) host: String,
    pub(super) reserve: i64,
}

impl Session {
    /// # Errors
    /// If there is no connection to be had, or not to a session of our own.
    pub(super) async fn begin(
        wire: &Arc<Wire>,
        script: &Arc<Script>,
        waiting: &Arc<Waiting>,
    ) -> Result<Self, Fault> {
        let failed = |error| fault::of(&Failed::Connecting(error), &wire.address);
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let connected = pool.connect_with(wire.own_options().options(KEEPALIVE)).await;
        let pool = match connected {
            Err(error) if fault::is_of_a_pooler(&error) => return Err(pooled(wire)),
            connected => connected.map_err(failed)?,
        };
        let mut connection = PgListener::connect_with(&pool).await.map_err(failed)?;
        // A session that is lost must not be followed by another one as if nothing had happened.
        connection.eager_reconnect(false);
        connection.ignore_pool_close_event(true);
        let Shown { own, channel, .. } = wire.look_at(&mut connection).await.map_err(failed)?;
        if !own {
            return Err(pooled(wire));
        }
        connection.listen(&channel).await.map_err(failed)?;
        let (jobs, received) = mpsc::unbounded_channel();
        let state = Arc::new(State::default());
        *sync::lock(&state.held) = Some(HashMap::new());
        let worker = Worker {
            wire: Arc::clone(wire),
            script: Arc::clone(script),
            waiting: Arc::clone(waiting),
            state: Arc::clone(&state),
            connection,
            channel,
        };
        drop(tokio::spawn(worker.run(received)));
        waiting.wake_all();
        Ok(Self { process: std::process::id(), jobs, state })
    }

    /// Not in a forked child, whose parent's it is.
    pub(super) fn is_alive(&self) -> bool {
        self.process == std::process::id() && sync::lock(&self.state.held).is_some()
    }

    /// # Errors
    /// If the session has ended.
    pub(super) fn ask(&self, job: Job) -> Result<(), Fault> {
        self.jobs.send(job).map_err(|_| Fault::failed("the session has ended"))
    }

    /// Whether the owner can still believe in his lock.
    pub(super) fn keeps(&self, id: &str, owner: &str) -> bool {
        let believed = !self.state.is_past();
        believed && self.state.is_held(id, owner) && self.process == std::process::id()
    }

    /// Calls `tell` when the lock is lost, at once if it is already.
    pub(super) fn tell_when_lost(&self, id: &str, owner: &str, tell: Tell) {
        let mut all = sync::lock(&self.state.held);
        match all.as_mut().and_then(|all| all.get_mut(id)).filter(|held| held.owner == owner) {
            Some(held) => held.tell.push(tell),
            None => {
                drop(all);
                tell();
            }
        }
    }
}

fn pooled(wire: &Wire) -> Fault {
    Fault::unsupported(format!(
        "{}: mode=advisory needs a session of its own, and a pooler stands in between; accepted are a direct connection, or \
         mode=lease",
        wire.address
    ))
}

struct Worker {
    wire: Arc<Wire>,
    script: Arc<Script>,
    waiting: Arc<Waiting>,
    state: Arc<State>,
    connection: PgListener,
    /// Where those who wait are told.
    channel: Arc<str>,
}

impl Worker {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let ended = self.serve(&mut jobs).await;
        // From now on nobody is granted anything, and who asks gets an error as his answer is dropped.
        jobs.close();
        let held = sync::lock(&self.state.held).take();
        for held in held.into_iter().flatten() {
            held.1.tell.iter().for_each(|tell| tell());
        }
        if let Err(fault) = ended {
            tracing::debug!(address = %self.wire.address, error = %fault, "a session has ended");
        }
        self.waiting.wake_all();
    }

    /// Until the client has gone or the session has ended.
    async fn serve(&mut self, jobs: &mut mpsc::UnboundedReceiver<Job>) -> Result<(), Fault> {
        loop {
            let beat = tokio::time::timeout(HEARTBEAT, jobs.recv());
            match race(beat, self.connection.try_recv()).await {
                Either::First(Ok(Some(job))) => self.work(job).await?,
                Either::First(Ok(None)) => return Ok(()),
                Either::First(Err(_)) if self.holds_nothing() => {}
                // Stopped for so long, or not answered: what was told of by now stays lost.
                Either::First(Err(_)) if self.state.is_past() => {
                    return Err(Fault::failed("the session has said nothing for too long"));
                }
                Either::First(Err(_)) => {
                    self.query(&Values::default(), None).await?;
                }
                Either::Second(Ok(Some(told))) => self.told(told.payload()).await?,
                Either::Second(Ok(None)) => return Err(Fault::failed("the connection is lost")),
                Either::Second(Err(error)) => return Err(self.fault(error)),
            }
        }
    }

    async fn work(&mut self, job: Job) -> Result<(), Fault> {
        match job {
            Job::Take(wanted, answer) => {
                let taken = self.take(&wanted).await;
                let fatal = taken.as_ref().err().filter(|fault| fault.may_have_executed()).cloned();
                if let Err(Ok(Some(_))) = answer.send(taken) {
                    self.free(&wanted.id).await?;
                }
                fatal.map_or(Ok(()), Err)
            }
            Job::Free { id, owner, answer } => {
                let owns = self.state.is_held(&id, &owner);
                if owns {
                    self.free(&id).await?;
                }
                drop(answer.send(Ok(owns)));
                Ok(())
            }
        }
    }

    async fn take(&mut self, wanted: &Wanted) -> Result<Option<(i64, i64)>, Fault> {
        if let Some(held) = sync::lock(&self.state.held).as_ref().and_then(|all| all.get(&wanted.id)) {
            // The server would grant a session its own lock once more.
            return Ok(Some(held.tokens).filter(|_| held.owner == wanted.owner));
        }
        let channel = Arc::clone(&self.channel);
        let values = Values {
            lock: wanted.lock,
            key: &wanted.key,
            owner: &wanted.owner,
            host: &wanted.host,
            pid: std::process::id().into(),
            reserve: wanted.reserve,
            channel: &channel,
            ..Values::of(&wanted.id)
        };
        let script = Arc::clone(&self.script);
        let mut taken = self.ask(&values, Some(&script.take)).await?;
        if taken.as_ref().is_err_and(fault::is_missing) {
            match self.ask(&values, Some(&script.create)).await? {
                Err(error) if !fault::is_there_already(&error) => return Err(self.fault(error)),
                _ => {}
            }
            taken = self.ask(&values, Some(&script.take)).await?;
        }
        let taken = match taken {
            // It may have the lock, and no row for it.
            Err(error) if !ends_connection(&error) => {
                self.query(&values, Some(&script.free)).await?;
                // Somebody's transaction keeps the row.
                if fault::is_locked(&error) {
                    return Ok(None);
                }
                Err(self.fault(error))
            }
            taken => taken.map_err(|error| self.fault(error)),
        };
        let Some(row) = taken?.pop() else { return Ok(None) };
        let tokens = row.try_get(0).and_then(|first| Ok((first, row.try_get(1)?)));
        let tokens = tokens.map_err(|error| self.fault(error))?;
        let held = Held { owner: wanted.owner.clone(), lock: wanted.lock, tokens, tell: Vec::new() };
        if let Some(all) = sync::lock(&self.state.held).as_mut() {
            all.insert(wanted.id.clone(), held);
        }
        Ok(Some(tokens))
    }

    /// Gives a lock back that is held. Returns its holders to be told.
    async fn free(&mut self, id: &str) -> Result<Vec<Tell>, Fault> {
        let Some(held) = sync::lock(&self.state.held).as_mut().and_then(|all| all.remove(id)) else {
            return Ok(Vec::new());
        };
        let (script, channel) = (Arc::clone(&self.script), Arc::clone(&self.channel));
        let values = Values { lock: held.lock, channel: &channel, ..Values::of(id) };
        self.query(&values, Some(&script.free)).await?;
        Ok(held.tell)
    }

    async fn told(&mut self, payload: &str) -> Result<(), Fault> {
        let Some((first, rest)) = payload.split_once(' ') else { return Ok(()) };
        match rest.split_once(' ').filter(|_| first == "force") {
            Some((id, owner)) if self.state.is_held(id, owner) => {
                self.free(id).await?.iter().for_each(|tell| tell());
            }
            Some(_) => {}
            None => self.waiting.told(first, rest),
        }
        Ok(())
    }

    fn holds_nothing(&self) -> bool {
        sync::lock(&self.state.held).as_ref().is_none_or(HashMap::is_empty)
    }

    /// Runs a statement, or only asks whether the session is there.
    async fn query(
        &mut self,
        values: &Values<'_>,
        statement: Option<&Statement>,
    ) -> Result<Vec<PgRow>, Fault> {
        self.ask(values, statement).await?.map_err(|error| self.fault(error))
    }

    /// The same, and what the server says to it.
    async fn ask(
        &mut self,
        values: &Values<'_>,
        statement: Option<&Statement>,
    ) -> Result<Result<Vec<PgRow>, sqlx::Error>, Fault> {
        let sent = Moment::now();
        let asked = async {
            match statement {
                Some(statement) => server::fetch(statement, values, &mut self.connection).await,
                None => self.connection.fetch_all("SELECT 1").await,
            }
        };
        let answer = tokio::time::timeout(ALIVE_WITHIN, asked).await;
        let Ok(answer) = answer else {
            return Err(Fault::failed(format!("{}: no answer within {ALIVE_WITHIN:?}", self.wire.address))
                .maybe_executed());
        };
        if answer.as_ref().err().is_none_or(|error| !ends_connection(error)) {
            self.state.until.fetch_max(sent.after(BELIEVED).as_nanos(), Ordering::AcqRel);
        }
        Ok(answer)
    }

    fn fault(&self, error: sqlx::Error) -> Fault {
        fault::of(&Failed::Asking(error), &self.wire.address)
    }
}
