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
//! A few released files stay open for their next use. The bell, a byte written after an awaited lock was given
//! back, is what waiters in other processes hear; for a holder that died, it is the kernel's closing of the file.

mod bell;
mod client;
mod directory;
mod held;
mod idle;
mod listed;
mod opened;
mod record;
mod streak;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    fmt, io, mem,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use self::{client::Client, directory::Directory};
use crate::{
    backend::{Answer, Attempt, Backend, Capabilities, Fault, Request, Tell, Watch},
    key::Key,
    lease::{Holder, Lease, Ttl},
    queue::Queue,
    shared::Shared,
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
    directory: Arc<Directory>,
    client: Mutex<Arc<Client>>,
}

impl File {
    /// Locks in `directory`, which may belong to root. The files in it are this user's: another user is refused.
    pub fn shared(directory: impl Into<PathBuf>) -> Self {
        Self::new(Directory::new(directory.into(), false))
    }

    /// Locks in `directory`, which must belong to this user and be closed to all others.
    pub fn private(directory: impl Into<PathBuf>) -> Self {
        Self::new(Directory::new(directory.into(), true))
    }

    /// Locks in `/tmp/lock-<uid>`, a directory of this user's own.
    pub fn per_user() -> Self {
        Self::private(format!("/tmp/lock-{}", rustix::process::geteuid().as_raw()))
    }

    /// The locks of a directory, shared by all lockers of this process that were opened by its URL.
    pub(crate) fn opened(directory: PathBuf) -> Arc<(Arc<Queue>, Arc<Self>)> {
        static OPENED: Shared<(Arc<Queue>, Arc<File>)> = Shared::new();
        // By components: a slash at the end makes no other directory.
        let name = directory.components().collect::<PathBuf>().to_string_lossy().into_owned();
        OPENED.get(&name, || (Arc::new(Queue::new()), Arc::new(Self::shared(directory))))
    }

    fn new(directory: Directory) -> Self {
        let directory = Arc::new(directory);
        let client = Mutex::new(Arc::new(Client::new(&directory)));
        Self { directory, client }
    }

    /// What this process does here. A forked child begins anew: its parent's open files are locked for both.
    fn client(&self) -> Arc<Client> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if !client.is_of_this_process() {
            let parents = mem::replace(&mut *client, Arc::new(Client::new(&self.directory)));
            // Not dropped: that would end the parent's notifications, which come by the same descriptor.
            mem::forget(parents);
        }
        Arc::clone(&client)
    }

    /// The same, right after a call that has seen to it.
    fn client_as_before(&self) -> Arc<Client> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fault(&self, error: io::Error) -> Fault {
        self.directory.fault(error)
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
        Box::pin(async move { self.client().acquire(request).map_err(|error| self.fault(error)) })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, _: Ttl) -> Answer<'a, bool> {
        // The kernel keeps the lock; the engine keeps its time.
        Box::pin(async move { Ok(self.client().keeps(lease)) })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, bool> {
        Box::pin(async move { self.client().give_back(lease).map_err(|error| self.fault(error)) })
    }

    fn holder<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Holder>> {
        Box::pin(async move { self.client().find_holder(key).map_err(|error| self.fault(error)) })
    }

    fn held<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Holder>> {
        Box::pin(async move { self.client().list(prefix).await.map_err(|error| self.fault(error)) })
    }

    fn force_release<'a>(&'a self, key: &'a Key) -> Answer<'a, bool> {
        Box::pin(async move { self.client().force(key).map_err(|error| self.fault(error)) })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.directory.check().map_err(|error| self.fault(error)) })
    }

    fn adopt<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Attempt>> {
        Box::pin(async move { self.client().take_over(request).await.map_err(|error| self.fault(error)) })
    }

    fn detach<'a>(&'a self, lease: &'a Lease, ttl: Ttl) -> Answer<'a, bool> {
        Box::pin(async move { self.client().park(lease, ttl).map_err(|error| self.fault(error)) })
    }

    fn keeps(&self, lease: &Lease) -> bool {
        self.client().keeps(lease)
    }

    fn tell_when_lost(&self, lease: &Lease, tell: Tell) -> bool {
        self.client_as_before().tell_when_lost(lease, tell)
    }

    fn watch<'a>(&'a self, request: &'a Request) -> Answer<'a, Option<Box<dyn Watch>>> {
        Box::pin(async move { Ok(self.client().watch(request)) })
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("directory", &self.directory).finish_non_exhaustive()
    }
}
