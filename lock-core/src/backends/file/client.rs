//! What one process does with the directory.

use std::{io, sync::Arc, time::Duration};

use super::{
    directory::Directory,
    held::Held,
    listed::Locks,
    opened::Opened,
    record::{Holding, Last, Parked},
    watch::{Watched, Watcher},
};
use crate::{
    backend::{Attempt, Request, Tell, Watch},
    clock::{self, Moment},
    key::Key,
    lease::{FencingToken, Holder, Lease, Ttl},
};

/// The locks that a process holds and waits for in a directory.
pub(super) struct Client {
    process: u32,
    holding: Holding,
    directory: Arc<Directory>,
    held: Arc<Held>,
    watcher: Watcher,
}

impl Client {
    pub(super) fn new(directory: &Arc<Directory>) -> Self {
        let process = std::process::id();
        Self {
            process,
            holding: Holding::of(process),
            directory: Arc::clone(directory),
            held: Arc::new(Held::new(directory)),
            watcher: Watcher::default(),
        }
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    pub(super) fn acquire(&self, request: &Request) -> io::Result<Attempt> {
        if let Some(lease) = self.held.lease_of(&request.key, &request.owner) {
            return Ok(Attempt::Granted(lease));
        }
        let (mut file, last) = match self.lock(request)? {
            Ok(locked) => locked,
            Err(attempt) => return Ok(attempt),
        };
        if let Parked::Others(parked) = last.parked_by(&request.owner) {
            let holder = last.holder(parked);
            self.leave(request, file)?;
            return Ok(Attempt::Held { holder, free_in: Some(parked) });
        }
        let waited = self.watcher.is_waiting(request);
        if request.give_way
            && last.awaited
            && let Some(courtesy) = file.streak.gives_way(waited, last.token)
        {
            self.leave(request, file)?;
            return Ok(Attempt::Held { holder: None, free_in: Some(courtesy) });
        }
        // The first of a streak clears the mark: who still waits sees it cleared, and makes it again.
        let awaited = last.awaited && !file.streak.granted(waited);
        let now = clock::unix_micros();
        match last.next_token(now) {
            Ok(token) => self.take(request, file, (token, now), awaited),
            Err(error) => file.unlock().and(Err(error)),
        }
    }

    /// The lock and what its file said, or who has it.
    fn lock(&self, request: &Request) -> io::Result<Result<(Opened, Last), Attempt>> {
        // The file may have been replaced between opening and locking: then it has no name any more.
        for _ in 0..16 {
            let mut file = match self.watcher.take(request) {
                Some(file) => file,
                None => match self.held.idle(&request.key) {
                    Some(file) => file,
                    None => self.directory.open(&request.key)?,
                },
            };
            if request.give_way
                && let Some(attempt) = Self::courtesy(&mut file)?
            {
                self.set_aside(request, file);
                return Ok(Err(attempt));
            }
            if file.try_lock()? || self.try_lock_awaited(request, &file)? {
                file.locked_at = self.held.changes();
                if file.is_linked()? {
                    let last = file.last()?;
                    return Ok(Ok((file, last)));
                }
            } else if file.is_linked()? {
                let record = file.read()?;
                let free_in = record.parked_for();
                let holder = record.holder(free_in).map(Box::new);
                self.set_aside(request, file);
                return Ok(Err(Attempt::Held { holder, free_in }));
            }
            self.set_aside(request, self.directory.open(&request.key)?);
            self.watcher.replaced(request, &self.directory);
        }
        Err(io::Error::other("the lock's file is being replaced again and again"))
    }

    /// The last try of one who goes to sleep if it fails: only now does whoever has the lock know that he has to ring.
    fn try_lock_awaited(&self, request: &Request, file: &Opened) -> io::Result<bool> {
        Ok(self.watcher.is_waiting(request) && file.mark_awaited().and_then(|()| file.try_lock())?)
    }

    /// A lock that is not even tried, as others are to go first.
    fn courtesy(file: &mut Opened) -> io::Result<Option<Attempt>> {
        let Some((since, left)) = file.streak.courtesy() else { return Ok(None) };
        if file.last()?.token == since {
            return Ok(Some(Attempt::Held { holder: None, free_in: Some(left) }));
        }
        file.streak.end_courtesy();
        Ok(None)
    }

    fn take(
        &self,
        request: &Request,
        file: Opened,
        (token, now): (FencingToken, u64),
        awaited: bool,
    ) -> io::Result<Attempt> {
        let lease = Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl);
        if let Err(error) = file.write(&self.holding.line(&lease, now, awaited)) {
            file.unlock()?;
            return Err(error);
        }
        self.held.insert(lease.clone(), file, now);
        Ok(Attempt::Granted(lease))
    }

    /// Leaves a lock to others that was had only for a look.
    ///
    /// Waiters that just failed to have it because of us are woken, unless we wait as well: then we look again in
    /// time, or are heard when we stop waiting, and would wake ourselves.
    fn leave(&self, request: &Request, file: Opened) -> io::Result<()> {
        file.unlock()?;
        // A file whose bell cannot be rung is closed, which is heard as well.
        if self.watcher.is_waiting(request) || file.ring().is_ok() {
            self.set_aside(request, file);
        }
        Ok(())
    }

    /// Keeps a file open that could not be had: closing it would wake everybody who waits for it.
    fn set_aside(&self, request: &Request, file: Opened) {
        if let Some(file) = self.watcher.put_back(request, file) {
            self.held.keep(&request.key, file);
        }
    }

    pub(super) fn give_back(&self, lease: &Lease) -> io::Result<bool> {
        let Some(file) = self.held.remove(lease) else { return Ok(false) };
        let ours = file.is_linked().unwrap_or(true);
        file.unlock()?;
        // A file whose bell cannot be rung is closed, which is heard as well.
        if file.ring_if_awaited().is_ok() {
            self.held.keep(&lease.key, file);
        }
        Ok(ours)
    }

    pub(super) fn park(&self, lease: &Lease, ttl: Ttl) -> io::Result<bool> {
        let Some(file) = self.held.remove(lease) else { return Ok(false) };
        let mut record = file.read()?;
        record.park(Moment::now().after(ttl.get()));
        file.write(record.to_line().as_bytes())?;
        // Closed here, which is heard by those who wait.
        file.unlock()?;
        Ok(true)
    }

    pub(super) async fn take_over(&self, request: &Request) -> io::Result<Option<Attempt>> {
        // One who waits for it has it locked for a moment whenever he looks whether it is still kept.
        const LOOKED_AT: (u32, Duration) = (100, Duration::from_millis(2));
        let mut tries = 0;
        let (file, last) = loop {
            let attempt = match self.lock(request)? {
                Ok(locked) => break locked,
                Err(attempt) => attempt,
            };
            tries += 1;
            if tries > LOOKED_AT.0 || !self.is_kept_for(request)? {
                return Ok(Some(attempt));
            }
            tokio::time::sleep(LOOKED_AT.1).await;
        };
        match last.parked_by(&request.owner) {
            Parked::Mine => {
                self.take(request, file, (last.token, clock::unix_micros()), last.awaited).map(Some)
            }
            Parked::Others(free_in) => {
                self.leave(request, file)?;
                let holder = last.holder(free_in);
                Ok(Some(Attempt::Held { holder, free_in: Some(free_in) }))
            }
            Parked::Not => self.leave(request, file).map(|()| None),
        }
    }

    /// Whether nobody has the lock in hands, as it is kept for the owner of the request.
    fn is_kept_for(&self, request: &Request) -> io::Result<bool> {
        let Some(file) = self.directory.look_at(&request.key)? else { return Ok(false) };
        Ok(matches!(file.read()?.parked_by(&request.owner), Parked::Mine))
    }

    pub(super) fn find_holder(&self, key: &Key) -> io::Result<Option<Holder>> {
        if let Some(holder) = self.held.holder(key) {
            return Ok(Some(holder));
        }
        match self.directory.look_at(key)? {
            Some(file) => file.holder(&Locks::now()),
            None => Ok(None),
        }
    }

    /// Files are never removed: with thousands of them, the thread that does this has others' leases to renew meanwhile.
    pub(super) async fn list(&self, prefix: &str) -> io::Result<Vec<Holder>> {
        const AT_ONCE: usize = 32;
        let locks = Locks::now();
        let mut holders = Vec::new();
        for (number, file) in self.directory.all()?.enumerate() {
            // What cannot be looked into is no lock of this user's.
            let holder = file.and_then(|file| file.holder(&locks)).unwrap_or_else(|error| {
                tracing::debug!(directory = ?self.directory, %error, "passed over in the list of locks");
                None
            });
            holders.extend(holder.filter(|holder| holder.key.as_str().starts_with(prefix)));
            if number % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(holders)
    }

    /// Puts a fresh file in the place of the locked one; its holder keeps a lock on a file without a name.
    pub(super) fn force(&self, key: &Key) -> io::Result<bool> {
        let Some(file) = self.directory.open_existing(key)? else { return Ok(false) };
        if file.holder(&Locks::now())?.is_none() {
            return Ok(false);
        }
        let mut record = file.read()?;
        record.clear();
        self.directory.replace(key, &record)?;
        self.held.tell_unlinked();
        // Those who wait hold the old file open: they hear its bell, or its closing here, see that it has no name, and
        // open the new one.
        let _ = file.ring();
        Ok(true)
    }

    /// Whether the lease is held, on a file that still has its name.
    pub(super) fn keeps(&self, lease: &Lease) -> bool {
        self.held.is_linked(lease)
    }

    /// `false`: nothing here will notice, so that somebody has to look.
    pub(super) fn tell_when_lost(&self, lease: &Lease, tell: Tell) -> bool {
        let missed = self.held.tell(lease, tell);
        let watched = self.watcher.guard(&self.directory, &self.held);
        // What was taken away before anybody watched, or before there was anybody to tell, was not announced. Where
        // nobody watches, the engine looks by itself, and begins with a look: not a search of all locks each time.
        if missed || watched == Watched::FromNowOn {
            self.held.tell_unlinked();
        }
        watched != Watched::Not
    }

    pub(super) fn watch(&self, request: &Request) -> Option<Box<dyn Watch>> {
        self.watcher.watch(request, &self.directory, &self.held)
    }
}
