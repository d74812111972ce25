//! `postgres://…?mode=advisory`: session locks of PostgreSQL, which end with their session.
//!
//! All locks of a client are on one session. The server frees them when the session ends: at once when its process dies,
//! after ten seconds when the network is gone. A holder that is merely stopped is not overtaken, and nothing is renewed.
//!
//! | it promises | it does not |
//! |---|---|
//! | a dead holder's lock is free at once | a session that the server ends, or that a network cuts off, is heard of at once where the connection breaks, and believed in for 8 s where it falls silent: what may not be written twice is protected by its fencing token |
//! | fencing tokens, in a row beside the lock | an order among the waiters of several processes: who asks first when it is free has it |
//! | a lost session is told to all holders at once | a lock that lasts longer than its session: a restart of the server ends it, and so does a process that is stopped for more than 8 s, when it goes on |
//! | | a pooler in between: it is refused |
//!
//! The lock's number is the first half of the SHA-256 of the key: two keys of one number, of which there is one pair in
//! 2^32 keys, exclude each other needlessly, never the opposite. All who use a key have to use the same mode.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{
    Address,
    server::Server,
    session::{Job, Script, Session, Wanted},
    waiting::Waiting,
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Signal, Tell, Watch},
    backends::{
        mailbox::Listening,
        sql::{self, Database, Row, Statement, Values},
        tls,
    },
    error::Result,
    key::Key,
    lease::{Holder, Lease, Ttl},
    queue::Queue,
    shared::Shared,
    sync::{self, Mutex},
};

/// How long a holder is given to give a lock back that is asked for by force.
const ASKED: Duration = Duration::from_secs(1);
/// Between two looks at whether he has, and at a lock of which nobody knows whose it is.
const PAUSE: Duration = Duration::from_millis(20);

/// Session locks of a PostgreSQL.
///
/// ```no_run
/// use lock_core::Locker;
///
/// let locker = Locker::open("postgres://app:secret@db.example/shop?mode=advisory")?;
/// let guard = locker.lock("report").acquire()?;
/// # Ok::<(), lock_core::Error>(())
/// ```
pub struct Advisory {
    server: Server,
    script: Arc<Script>,
    look: Statement,
    held: Statement,
    ask_back: Statement,
    end_session: Statement,
    host: String,
    session: Mutex<Option<Arc<Session>>>,
    beginning: tokio::sync::Mutex<()>,
    waiting: Arc<Waiting>,
}

impl Advisory {
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the operating system has no randomness to give.
    pub(super) fn at(address: Address) -> Result<Self> {
        let table = address.table.clone();
        let statement = |file| {
            Statement::new(
                file,
                include_str!("statements/advisory/locks.sql"),
                &table,
                sql::Style::Numbered('$'),
            )
        };
        let script = Script {
            take: statement(include_str!("statements/advisory/take.sql")),
            free: statement(include_str!("statements/advisory/free.sql")),
            create: statement(super::CREATE_TABLE),
        };
        Ok(Self {
            look: statement(include_str!("statements/advisory/look.sql")),
            held: statement(include_str!("statements/advisory/held.sql")),
            ask_back: statement(include_str!("statements/advisory/ask_back.sql")),
            end_session: statement(include_str!("statements/advisory/end_session.sql")),
            server: Server::new(address)?,
            script: Arc::new(script),
            host: crate::host::name(),
            session: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            waiting: Arc::default(),
        })
    }

    /// The one of this process for an address, with the queue in front of it.
    pub(crate) fn opened(address: Address) -> Result<Arc<(Arc<Queue>, Arc<Self>)>> {
        static OPENED: Shared<(Arc<Queue>, Arc<Advisory>)> = Shared::new();
        tls::install();
        let name = address.identity();
        let made = Self::at(address)?;
        Ok(OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(made))))
    }

    fn current(&self) -> Option<Arc<Session>> {
        sync::lock(&self.session).clone().filter(|session| session.is_alive())
    }

    async fn session(&self) -> Result<Arc<Session>, Fault> {
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let _one = self.beginning.lock().await;
        if let Some(session) = self.current() {
            return Ok(session);
        }
        let begun = Arc::new(Session::begin(&self.server.wire, &self.script, &self.waiting).await?);
        let ended = sync::lock(&self.session).replace(Arc::clone(&begun));
        drop(ended);
        Ok(begun)
    }

    async fn acquire(&self, request: &Request) -> Result<Attempt, Fault> {
        let name = Name::of(&request.key);
        let wanted = Wanted {
            id: name.id.clone(),
            lock: name.lock,
            key: request.key.to_string(),
            owner: request.owner.to_string(),
            host: self.host.clone(),
            reserve: request.reserve.max(1).into(),
        };
        let (answer, taken) = oneshot::channel();
        self.session().await?.ask(Job::Take(wanted, answer))?;
        // The session's end is the end of whatever was granted on it.
        let taken = taken.await.unwrap_or_else(|_| Err(Fault::failed("the session has ended")))?;
        match taken {
            Some((first, last)) => {
                self.waiting.forget(&name.id, &request.owner);
                Ok(Attempt::Granted(sql::lease(request, first, last)?))
            }
            None => {
                let mut holder = self.find(&name).await?;
                if let Some(holder) = &mut holder {
                    // If its session ends, nobody will tell.
                    holder.fencing_token = None;
                }
                // Who has just got it, or lost it, has no row to be found by.
                let free_in = holder.is_none().then_some(PAUSE);
                Ok(Attempt::Held { holder: holder.map(Box::new), free_in })
            }
        }
    }

    async fn find(&self, name: &Name) -> Result<Option<Holder>, Fault> {
        let rows = self.server.rows(&self.look, &name.values()).await?;
        rows.first().map_or(Ok(None), holder)
    }

    async fn force(&self, key: &Key) -> Result<bool, Fault> {
        let name = Name::of(key);
        let Some(holder) = self.find(&name).await? else { return Ok(false) };
        let owner = holder.owner.to_string();
        let values = Values { owner: &owner, ..name.values() };
        if !self.server.change(&self.ask_back, &values).await? {
            return Ok(false);
        }
        let begin = tokio::time::Instant::now();
        while begin.elapsed() < ASKED {
            // Somebody else may have it by now.
            if self.find(&name).await?.is_none_or(|now| now.owner != holder.owner) {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        // It does not answer: then the server ends it.
        self.server.change(&self.end_session, &values).await
    }
}

impl Backend for Advisory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { notifies: true, bound_to_process: true, ..Capabilities::default() }
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(self.acquire(request))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, _: Ttl) -> Answer<'a, bool> {
        // The server keeps the lock; the engine keeps its time.
        Box::pin(async move { Ok(self.keeps(lease)) })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async move {
            let Some(session) = self.current() else { return Ok(false) };
            let (answer, freed) = oneshot::channel();
            let (id, owner) = (Name::of(&lease.key).id, lease.owner.to_string());
            if session.ask(Job::Free { id, owner, answer }).is_err() {
                return Ok(false);
            }
            // Ended with the session otherwise.
            freed.await.unwrap_or(Ok(false))
        })
    }

    /// Nobody can take it over, as the session stays here; its time passes all the same.
    fn detach<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(async move {
            let Some(session) = self.current().filter(|_| self.keeps(lease)) else { return Ok(false) };
            let (id, owner) = (Name::of(&lease.key).id, lease.owner.to_string());
            drop(tokio::spawn(async move {
                tokio::time::sleep(ttl.get()).await;
                // With the session, it has ended already.
                drop(session.ask(Job::Free { id, owner, answer: oneshot::channel().0 }));
            }));
            Ok(true)
        })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move { self.find(&Name::of(key)).await })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async move {
            let rows = self.server.rows(&self.held, &Values { prefix, ..Values::default() }).await?;
            rows.iter().filter_map(|row| holder(row).transpose()).collect()
        })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(self.force(key))
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.session().await?;
            self.server.rows(&self.look, &Values::default()).await.map(drop)
        })
    }

    fn keeps(&self, lease: &Lease) -> bool {
        let id = Name::of(&lease.key).id;
        self.current().is_some_and(|session| session.keeps(&id, &lease.owner.to_string()))
    }

    fn tell_when_lost(&self, lease: &Lease, tell: Tell) -> bool {
        let id = Name::of(&lease.key).id;
        match self.current() {
            Some(session) => session.tell_when_lost(&id, &lease.owner.to_string(), tell),
            None => tell(),
        }
        true
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async move {
            let (mailbox, _) = self.waiting.mailbox(&Name::of(&request.key).id, &request.owner);
            // What became free since the refusal was not announced here.
            mailbox.tell(Signal::LookAgain);
            Ok(Some(Box::new(Listening(mailbox)) as Box<dyn Watch>))
        })
    }

    fn give_up<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        Box::pin(async move {
            self.waiting.forget(&Name::of(&request.key).id, &request.owner);
            Ok(())
        })
    }
}

impl fmt::Debug for Advisory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advisory").field("address", &self.server.wire.address).finish_non_exhaustive()
    }
}

/// What a key goes by: the row's id, and the number of the lock, which is the beginning of the same hash.
struct Name {
    id: String,
    lock: i64,
}

impl Name {
    fn of(key: &Key) -> Self {
        let hash = hmac_sha256::Hash::hash(key.as_str().as_bytes());
        let (half, _) = hash.split_first_chunk().map_or(([0; 8], &[][..]), |(half, rest)| (*half, rest));
        Self { id: format!("advisory:{}", sql::digits(&hash)), lock: i64::from_be_bytes(half) }
    }

    fn values(&self) -> Values<'_> {
        Values { lock: self.lock, ..Values::of(&self.id) }
    }
}

fn holder(row: &Row) -> Result<Option<Holder>, Fault> {
    let mut holder = row.holder()?;
    if let Some(holder) = &mut holder {
        // It lasts as long as its session.
        holder.expires_in = None;
    }
    Ok(holder)
}
