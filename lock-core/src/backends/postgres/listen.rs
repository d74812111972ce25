//! The one connection on which a client is told of releases.
//!
//! A notification names the key and the first few in line: the first looks at once; the others know that the key is kept
//! for him for a while, and look then. Whoever stands behind them has nothing to do. What was announced while the
//! connection was down is lost, so that everybody looks when it is down and when it is up again.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::{
    Executor,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};

use super::{
    server::Wire,
    waiting::{Announcements, Phase, Waiting},
};
use crate::{
    backend::{Signal, Watch},
    backends::mailbox::Listening,
    lease::Owner,
    race::{Either, race},
    wait::jitter,
};

/// How often the connection is asked whether it is still alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the answer to that, and a connection, may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(2);
/// How often to look while the first connection is made.
const MEANWHILE: Duration = Duration::from_millis(50);
/// Before a connection that was lost is made anew, and between two tries at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

pub(super) struct Listener {
    wire: Weak<Wire>,
    shared: Arc<Waiting>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.over.notify_one();
    }
}

impl Listener {
    pub(super) fn new(wire: &Arc<Wire>) -> Self {
        Self { wire: Arc::downgrade(wire), shared: Arc::default() }
    }

    /// Keeps what is announced for the key from now on, if it listens.
    pub(super) fn expect(&self, id: &str, owner: &Owner) {
        if self.shared.phase() == Phase::Up {
            drop(self.shared.mailbox(id, owner));
        }
    }

    pub(super) fn forget(&self, id: &str, owner: &Owner) {
        self.shared.forget(id, owner);
    }

    /// `None`: there is nothing to listen on.
    pub(super) fn listen(&self, id: &str, owner: &Owner) -> Option<Box<dyn Watch>> {
        let wire = self.wire.upgrade()?;
        if !wire.is_direct() {
            return None;
        }
        if self.shared.begin() {
            drop(tokio::spawn(attend(self.wire.clone(), Arc::clone(&self.shared))));
        }
        let (mailbox, new) = self.shared.mailbox(id, owner);
        if new && self.shared.phase() == Phase::Up {
            // What was announced before is lost. Whoever comes while it starts is woken when it is up.
            mailbox.tell(Signal::LookAgain);
        }
        Some(Box::new(Announcements { mailbox: Listening(mailbox), waiting: Arc::clone(&self.shared) }))
    }
}

/// Listens for as long as there is a client to listen for.
async fn attend(wire: Weak<Wire>, shared: Arc<Waiting>) {
    let _attending = Attending(Arc::clone(&shared));
    let mut pause = PAUSES.0;
    while wire.strong_count() > 0 {
        let listening = match wire.upgrade() {
            Some(wire) if wire.is_direct() => connecting(&wire, &shared).await,
            _ => break,
        };
        match listening {
            Ok(mut listener) => {
                shared.set(Phase::Up);
                shared.wake_all();
                let ended = hear(&mut listener, &wire, &shared).await;
                shared.set(Phase::Down);
                pause = PAUSES.0;
                if let Err(error) = ended {
                    tracing::debug!(%error, "the connection that listens is lost");
                }
            }
            Err(error) => {
                shared.set(Phase::Down);
                pause = PAUSES.1.min(pause * 2);
                tracing::debug!(%error, "could not listen");
            }
        }
        // What is announced from now on is lost: who waits looks, each time that it cannot be changed.
        shared.wake_all();
        if wire.strong_count() > 0 {
            drop(tokio::time::timeout(pause.mul_f64(jitter()), shared.over.notified()).await);
        }
    }
}

/// However it ends, nobody waits for what nobody hears.
struct Attending(Arc<Waiting>);

impl Drop for Attending {
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
        self.0.wake_all();
    }
}

/// Connects. Who waits looks meanwhile, as nobody tells him.
async fn connecting(wire: &Wire, shared: &Waiting) -> Result<PgListener, sqlx::Error> {
    let (mut connecting, mut meanwhile) = (pin!(connect(wire)), MEANWHILE);
    loop {
        match race(connecting.as_mut(), tokio::time::sleep(meanwhile)).await {
            Either::First(connected) => return connected,
            Either::Second(()) => shared.wake_all(),
        }
        meanwhile *= 2;
    }
}

async fn connect(wire: &Wire) -> Result<PgListener, sqlx::Error> {
    let connecting = async {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_with(wire.own_options()).await?).await?;
        // What is lost is told by us, and a connection that is lost is made anew by us.
        listener.eager_reconnect(false);
        listener.ignore_pool_close_event(true);
        let channel = wire.look_at(&mut listener).await?.channel;
        listener.listen(&channel).await?;
        Ok(listener)
    };
    tokio::time::timeout(ALIVE_WITHIN, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Passes on what is announced, until the connection is lost or nobody is left.
async fn hear(listener: &mut PgListener, wire: &Weak<Wire>, shared: &Waiting) -> Result<(), sqlx::Error> {
    loop {
        let beat = tokio::time::timeout(HEARTBEAT, shared.over.notified());
        match race(listener.try_recv(), beat).await {
            Either::First(Ok(Some(notification))) => pass_on(&notification, shared),
            Either::First(Ok(None)) => return Ok(()),
            Either::First(Err(error)) => return Err(error),
            Either::Second(_) if wire.strong_count() == 0 => return Ok(()),
            Either::Second(_) => {
                let alive = tokio::time::timeout(ALIVE_WITHIN, listener.execute("SELECT 1")).await;
                alive.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            }
        }
    }
}

fn pass_on(notification: &PgNotification, shared: &Waiting) {
    let payload = notification.payload();
    let (id, line) = payload.split_once(' ').unwrap_or((payload, ""));
    shared.told(id, line);
}
