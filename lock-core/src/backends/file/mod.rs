//! `file:///directory`: the processes of one machine.
//!
//! A file per key, made once and never removed, on which the holder has an exclusive `flock`. The kernel frees it when
//! the holder's process dies, at once; a holder that is merely stopped is never overtaken. In the file stands a
//! record of the holder, for people, and the last fencing token.
//!
//! | it promises | it does not |
//! |---|---|
//! | exclusion between all processes that see the same directory | exclusion over NFS and other network file systems |
//! | a dead holder's lock is free at once | a lock freed while a child that the holder forked keeps its files |
//! | waiters are woken by the kernel (Linux) | an order between processes |
//! | fencing tokens grow over restarts and reboots | against a clock set back *and* a removed directory |
//! | a lost lock is told: force-release, a removed file | |
//!
//! Traps that this avoids: removing a file that another process is just opening makes two locks on two inodes;
//! `fcntl` locks vanish when an unrelated descriptor of the file is closed; a lock that is only dropped by closing
//! stays with a forked child, so it is given back explicitly.
//!
//! A few released files stay open for their next use. The bell, a byte written after a lock was given back, is what
//! waiters in other processes hear; for a holder that died, it is the kernel's closing of the file.

mod directory;
mod held;
mod record;
mod streak;
#[cfg(test)]
mod tests;
mod watch;

use std::{fmt, io, path::PathBuf, sync::Arc};

use self::{
    directory::Directory,
    held::{Held, Locks, Opened},
    record::{Parked, Record},
    watch::Watcher,
};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Request, Tell, Watch},
    clock::{self, Moment},
    key::Key,
    lease::{Holder, Lease, Ttl},
};

/// Locks as files in a directory.
///
/// ```
/// use lock_core::{Locker, backends::File};
///
/// let directory = std::env::temp_dir().join(format!("lock-doc-{}", std::process::id()));
/// let locker = Locker::with_backend(File::shared(&directory));
/// let guard = locker.lock("report").acquire()?;
/// assert!(locker.lock("report").try_acquire()?.is_none());
/// # drop(guard);
/// # std::fs::remove_dir_all(directory).ok();
/// # Ok::<(), lock_core::Error>(())
/// ```
///
/// The directory is made at first use, for this user alone (mode 0700), where there is none. It must not be a
/// symbolic link, must belong to this user or to root, and must not be open for everybody to write to.
pub struct File {
    directory: Directory,
    held: Arc<Held>,
    watcher: Watcher,
}

impl File {
    /// Locks in `directory`, which may belong to root.
    pub fn shared(directory: impl Into<PathBuf>) -> Self {
        Self::new(Directory::shared(directory.into()))
    }

    /// Locks in `directory`, which must belong to this user and be closed to all others.
    pub fn private(directory: impl Into<PathBuf>) -> Self {
        Self::new(Directory::private(directory.into()))
    }

    /// Locks in `/tmp/lock-<uid>`, a directory of this user's own.
    pub fn per_user() -> Self {
        Self::private(format!("/tmp/lock-{}", rustix::process::geteuid().as_raw()))
    }

    fn new(directory: Directory) -> Self {
        Self { directory, held: Arc::default(), watcher: Watcher::default() }
    }

    fn acquire(&self, request: &Request) -> io::Result<Attempt> {
        if let Some(lease) = self.held.lease_of(&request.key, &request.owner) {
            return Ok(Attempt::Granted(lease));
        }
        let (mut file, last) = match self.lock(request)? {
            Ok(locked) => locked,
            Err(attempt) => return Ok(attempt),
        };
        if let Some(parked) = last.parked(&request.owner) {
            let holder = last.holder(Some(parked)).map(Box::new);
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
        match last.next_token(clock::unix_micros()) {
            Ok(token) => self.take(request, file, token, awaited),
            Err(error) => file.unlock().and(Err(error)),
        }
    }

    /// The lock and what its file said, or who has it.
    fn lock(&self, request: &Request) -> io::Result<Result<(Opened, Record), Attempt>> {
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
            if !file.try_lock()? {
                if file.is_linked()? {
                    let record = file.read()?;
                    if !record.awaited && self.watcher.is_waiting(request) {
                        file.mark_awaited()?;
                    }
                    let free_in = record.parked_for();
                    let holder = record.holder(free_in).map(Box::new);
                    self.set_aside(request, file);
                    return Ok(Err(Attempt::Held { holder, free_in }));
                }
            } else if file.is_linked()? {
                let last = file.read()?;
                return Ok(Ok((file, last)));
            }
            self.set_aside(request, self.directory.open(&request.key)?);
            self.watcher.replaced(request, &self.directory);
        }
        Err(io::Error::other("the lock's file is being replaced again and again"))
    }

    /// A lock that is not even tried, as others are to go first.
    fn courtesy(file: &mut Opened) -> io::Result<Option<Attempt>> {
        let Some((since, left)) = file.streak.courtesy() else { return Ok(None) };
        if file.read()?.token == since {
            return Ok(Some(Attempt::Held { holder: None, free_in: Some(left) }));
        }
        file.streak.end_courtesy();
        Ok(None)
    }

    fn take(&self, request: &Request, file: Opened, token: u64, awaited: bool) -> io::Result<Attempt> {
        let mut record = Record::of(request, token);
        record.awaited = awaited;
        if let Err(error) = file.write(&record) {
            file.unlock()?;
            return Err(error);
        }
        let lease = Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl);
        self.held.insert(lease.clone(), file, record);
        Ok(Attempt::Granted(lease))
    }

    /// Leaves a lock to others that was had only for a look.
    ///
    /// Waiters that just failed to have it because of us are woken, unless we wait as well: then we look again in
    /// time, or are heard when we stop waiting, and would wake ourselves.
    fn leave(&self, request: &Request, file: Opened) -> io::Result<()> {
        file.unlock()?;
        if !self.watcher.is_waiting(request) {
            file.ring()?;
        }
        self.set_aside(request, file);
        Ok(())
    }

    /// Keeps a file open that could not be had: closing it would wake everybody who waits for it.
    fn set_aside(&self, request: &Request, file: Opened) {
        if let Some(file) = self.watcher.put_back(request, file) {
            self.held.keep(&request.key, file);
        }
    }

    fn give_back(&self, lease: &Lease) -> io::Result<bool> {
        let Some(file) = self.held.remove(lease) else { return Ok(false) };
        file.unlock()?;
        file.ring()?;
        self.held.keep(&lease.key, file);
        Ok(true)
    }

    fn park(&self, lease: &Lease, ttl: Ttl) -> io::Result<bool> {
        let Some(file) = self.held.remove(lease) else { return Ok(false) };
        let mut record = file.read()?;
        record.park(Moment::now().after(ttl.get()));
        file.write(&record)?;
        file.unlock()?;
        file.ring()?;
        Ok(true)
    }

    fn take_over(&self, request: &Request) -> io::Result<Option<Attempt>> {
        let (file, last) = match self.lock(request)? {
            Ok(locked) => locked,
            Err(attempt) => return Ok(Some(attempt)),
        };
        match last.parked_by(&request.owner) {
            Parked::Mine => self.take(request, file, last.token, last.awaited).map(Some),
            Parked::Others(free_in) => {
                self.leave(request, file)?;
                let holder = last.holder(Some(free_in)).map(Box::new);
                Ok(Some(Attempt::Held { holder, free_in: Some(free_in) }))
            }
            Parked::Not => self.leave(request, file).map(|()| None),
        }
    }

    fn find_holder(&self, key: &Key) -> io::Result<Option<Holder>> {
        if let Some(holder) = self.held.holder(key) {
            return Ok(Some(holder));
        }
        match self.directory.look_at(key)? {
            Some(file) => file.holder(&Locks::now()),
            None => Ok(None),
        }
    }

    /// Files are never removed: with thousands of them, the thread that does this has others' leases to renew meanwhile.
    async fn list(&self, prefix: &str) -> io::Result<Vec<Holder>> {
        const AT_ONCE: usize = 32;
        let locks = Locks::now();
        let mut holders = Vec::new();
        for (number, file) in self.directory.all()?.enumerate() {
            let holder = file?.holder(&locks)?;
            holders.extend(holder.filter(|holder| holder.key.as_str().starts_with(prefix)));
            if number % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(holders)
    }

    /// Puts a fresh file in the place of the locked one; its holder keeps a lock on a file without a name.
    fn force(&self, key: &Key) -> io::Result<bool> {
        let Some(file) = self.directory.open_existing(key)? else { return Ok(false) };
        if file.holder(&Locks::now())?.is_none() {
            return Ok(false);
        }
        let mut record = file.read()?;
        record.clear();
        self.directory.replace(key, &record)?;
        self.held.tell_unlinked();
        // Those who wait hold the old file open: they hear its bell, see that it has no name, and open the new one.
        file.ring()?;
        Ok(true)
    }
}

impl Backend for File {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            immediate: true,
            across_processes: true,
            across_hosts: false,
            notifies: watch::SUPPORTED,
            bound_to_process: true,
            survives_restart: false,
            hand_over: true,
            ..Capabilities::default()
        }
    }

    fn try_acquire<'a>(&'a self, request: &'a Request) -> Answer<'a, Attempt> {
        Box::pin(async move { self.acquire(request).map_err(|error| self.directory.fault(error)) })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, _: Ttl) -> Answer<'a, bool> {
        // The kernel keeps the lock; the engine keeps its time.
        Box::pin(async move { Ok(self.held.is_linked(lease)) })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async move { self.give_back(lease).map_err(|error| self.directory.fault(error)) })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move { self.find_holder(key).map_err(|error| self.directory.fault(error)) })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async move { self.list(prefix).await.map_err(|error| self.directory.fault(error)) })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(async move { self.force(key).map_err(|error| self.directory.fault(error)) })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.directory.check().map_err(|error| self.directory.fault(error)) })
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(async move { self.take_over(request).map_err(|error| self.directory.fault(error)) })
    }

    fn detach<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(async move { self.park(lease, ttl).map_err(|error| self.directory.fault(error)) })
    }

    fn tell_when_lost(&self, lease: &Lease, tell: Tell) {
        self.held.tell(lease, tell);
        self.watcher.guard(&self.directory, &self.held);
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async move { Ok(self.watcher.watch(request, &self.directory, &self.held)) })
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("directory", &self.directory).finish_non_exhaustive()
    }
}
