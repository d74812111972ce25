//! Those who wait for a key that another process holds, and how they hear that it is free.
//!
//! Whoever has released a key for which somebody stands in line sets the times of the file, which the kernel announces
//! (inotify) to every process that watches it; neither reading nor writing is announced like that. Each then reads the rows for
//! which it waits, and tells those whose turn it is.
//!
//! What may interleave:
//! - *release × bell*: it is rung when the release can be read by all. Of one who dies in between, waiters learn by their
//!   timers.
//! - *bell × look*: one who waits has a mailbox before he stands in line; if nobody listened then, he looks once more.
//! - *file × file*: a file that is removed or replaced announces that too. The one that is there then is watched, and all
//!   look.

use std::{
    collections::HashMap,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    fs::{
        AtFlags, CWD, Timespec, Timestamps, UTIME_NOW,
        inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        utimensat,
    },
    io::Errno,
};
use sqlx::{ConnectOptions, Row as _, sqlite::SqliteConnectOptions};
use tokio::{io::unix::AsyncFd, sync::Notify};

use super::{clock, file::Session};
use crate::{
    backend::{Signal, Watch},
    backends::{
        mailbox::{Listening, Mailbox},
        sql::{Statement, Values, WINDOW},
    },
    lease::Owner,
    race::{Either, race},
    sync::{self, Mutex},
};

/// How long to wait for a file that has been removed to be there again.
const GONE: Duration = Duration::from_millis(100);

/// Whether waiters are told here.
pub(super) const SUPPORTED: bool = true;

/// See the [module](self).
pub(super) struct Bell {
    path: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    options: SqliteConnectOptions,
    /// What is read of a row for which somebody waits.
    turn: Statement,
    boot: String,
    waiting: Mutex<Waiting>,
    /// Nobody is left to listen for.
    over: Notify,
}

#[derive(Default)]
struct Waiting {
    listens: bool,
    mailboxes: HashMap<(String, Owner), Arc<Mailbox>>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.shared.over.notify_one();
    }
}

impl Bell {
    pub(super) fn new(path: &Path, options: &SqliteConnectOptions, turn: Statement, boot: &str) -> Self {
        let options = options.clone().create_if_missing(false);
        let (waiting, over) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { options, turn, boot: boot.to_owned(), waiting, over });
        Self { path: path.to_owned(), shared }
    }

    /// Tells all who watch the file to look.
    pub(super) fn ring(&self) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // Only a change of both is announced as nothing else is, and whoever may write may do it.
        let times = Timestamps { last_access: now, last_modification: now };
        if let Err(error) = utimensat(CWD, &self.path, &times, AtFlags::empty()) {
            tracing::debug!(path = ?self.path, %error, "those who wait were not told of a release");
        }
    }

    /// Keeps what is announced for the key from now on, if it listens.
    pub(super) fn expect(&self, id: &str, owner: &Owner) {
        let mut waiting = sync::lock(&self.shared.waiting);
        if waiting.listens {
            drop(waiting.mailbox(id, owner));
        }
    }

    pub(super) fn forget(&self, id: &str, owner: &Owner) {
        let mut waiting = sync::lock(&self.shared.waiting);
        if !waiting.mailboxes.is_empty() {
            waiting.mailboxes.remove(&(id.to_owned(), owner.clone()));
        }
    }

    /// `None`: the kernel has no more notifications to give, or something else keeps us from them.
    pub(super) fn listen(&self, id: &str, owner: &Owner) -> Option<Box<dyn Watch>> {
        let mut waiting = sync::lock(&self.shared.waiting);
        if !waiting.listens {
            let queue = match watch(&self.path) {
                Ok(queue) => queue,
                Err(error) => {
                    tracing::debug!(path = ?self.path, %error, "no inotify: waiters look every `retry` instead");
                    return None;
                }
            };
            waiting.listens = true;
            let listening = Listener { path: self.path.clone(), shared: Arc::clone(&self.shared) };
            drop(tokio::spawn(listening.listen(queue)));
        }
        let (mailbox, new) = waiting.mailbox(id, owner);
        if new {
            // What was announced before is lost.
            mailbox.tell(Signal::LookAgain);
        }
        Some(Box::new(Listening(mailbox)))
    }
}

impl Waiting {
    /// And whether it is a new one.
    fn mailbox(&mut self, id: &str, owner: &Owner) -> (Arc<Mailbox>, bool) {
        let known = self.mailboxes.len();
        let mailbox = Arc::clone(self.mailboxes.entry((id.to_owned(), owner.clone())).or_default());
        (mailbox, self.mailboxes.len() > known)
    }
}

fn watch(path: &Path) -> std::io::Result<AsyncFd<OwnedFd>> {
    let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    add(&queue, path)?;
    #[expect(
        deprecated,
        reason = "the queue owns its descriptor, which is all it asks; its successor is unsafe to call"
    )]
    AsyncFd::new(queue)
}

fn add(queue: &OwnedFd, path: &Path) -> rustix::io::Result<i32> {
    inotify::add_watch(queue, path, WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF)
}

/// The one who listens for all of this process that wait for keys of a file.
struct Listener {
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Drop for Listener {
    /// Also by a panic: whoever waits next begins anew, and those who wait look by their timers.
    fn drop(&mut self) {
        sync::lock(&self.shared.waiting).listens = false;
        self.shared.all().into_iter().for_each(|(_, mailbox)| mailbox.tell(Signal::LookAgain));
    }
}

impl Listener {
    async fn listen(self, queue: AsyncFd<OwnedFd>) {
        let (mut session, mut watched) = (None, super::file::identity(&self.path));
        loop {
            let ready = match race(queue.readable(), self.shared.over.notified()).await {
                Either::First(ready) => ready,
                Either::Second(()) => return,
            };
            let Ok(mut ready) = ready else { return };
            if let Err(error) = drain(queue.get_ref()) {
                return tracing::warn!(%error, "inotify failed; waiters look by their timers");
            }
            ready.clear_ready();
            // One that came after the last read makes it ready again.
            let there = super::file::identity(&self.path);
            if there == watched {
                self.shared.tell_those_whose_turn_it_is(&mut session).await;
                continue;
            }
            session = None;
            while add(queue.get_ref(), &self.path).is_err() {
                let over = tokio::time::timeout(GONE, self.shared.over.notified()).await;
                if over.is_ok() {
                    return;
                }
            }
            watched = super::file::identity(&self.path);
            self.shared.all().into_iter().for_each(|(_, mailbox)| mailbox.tell(Signal::LookAgain));
        }
    }
}

/// Reads what there is; all of it means the same.
fn drain(queue: &OwnedFd) -> rustix::io::Result<()> {
    let mut space = [const { MaybeUninit::uninit() }; 1024];
    let mut reader = Reader::new(queue, &mut space);
    loop {
        match reader.next() {
            Ok(event) if event.events().contains(ReadFlags::UNMOUNT) => return Err(Errno::NODEV),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

impl Shared {
    fn all(&self) -> Vec<((String, Owner), Arc<Mailbox>)> {
        let waiting = sync::lock(&self.waiting);
        waiting.mailboxes.iter().map(|(name, mailbox)| (name.clone(), Arc::clone(mailbox))).collect()
    }

    /// Reads for all before it tells any: what they then write does not get in between.
    async fn tell_those_whose_turn_it_is(&self, session: &mut Option<Session>) {
        let mut told = Vec::new();
        for ((id, owner), mailbox) in self.all() {
            // What cannot be read may be had.
            let signal = self.turn_of(&id, &owner, session).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "could not see whose turn it is");
                *session = None;
                Some(Signal::LookAgain)
            });
            told.extend(signal.map(|signal| (mailbox, signal)));
        }
        told.into_iter().for_each(|(mailbox, signal)| mailbox.tell(signal));
    }

    async fn turn_of(
        &self,
        id: &str,
        owner: &Owner,
        session: &mut Option<Session>,
    ) -> Result<Option<Signal>, sqlx::Error> {
        let session = match session {
            Some(session) => session,
            None => session.insert(Session { connection: self.options.connect().await?, file: None }),
        };
        let owner = owner.to_string();
        let values = Values { now: clock::now(), boot: &self.boot, owner: &owner, ..Values::of(id) };
        let rows = session.run(&self.turn, &values).await?;
        let Some(row) = rows.first() else { return Ok(Some(Signal::LookAgain)) };
        let (left, place, line): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if left > 0 {
            return Ok(None);
        }
        if place == 1 || line == 0 {
            return Ok(Some(Signal::LookAgain));
        }
        // It is kept for the first in line.
        Ok(Some(Signal::FreeIn(WINDOW.saturating_sub(Duration::from_micros(left.unsigned_abs())))))
    }
}
