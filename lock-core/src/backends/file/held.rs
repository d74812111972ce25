//! The files that this process has open.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt},
    },
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::fs;
#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, StatxFlags};

use super::{
    directory::Directory,
    listed::{Listed, Locks},
    record::{BELL, MARK, Record},
    streak::Streak,
};
use crate::{
    backend::Tell,
    key::Key,
    lease::{Holder, Lease, Owner},
};

/// How many released files stay open. Opening one again takes as long as all the rest of an acquire.
const IDLE: usize = 32;

/// The file of a key, open for reading, and where it is to be locked, for writing.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    /// How this process has used it lately.
    pub(super) streak: Streak,
    /// It is not where others meet any more: its directory, or it alone, was moved away.
    stray: bool,
    /// How often names had changed when it was locked.
    pub(super) locked_at: u64,
}

impl Opened {
    pub(super) fn new(file: File) -> Self {
        Self { file, streak: Streak::default(), stray: false, locked_at: 0 }
    }

    /// `false`: somebody has it.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Not left to closing: a forked child would keep the lock.
    pub(super) fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }

    /// Wakes those who wait for the lock in other processes. Only after [`unlock`](Self::unlock).
    pub(super) fn ring(&self) -> io::Result<()> {
        self.file.write_all_at(BELL.0, BELL.1)
    }

    /// Lets those who take the lock again and again know that somebody waits for it.
    pub(super) fn mark_awaited(&self) -> io::Result<()> {
        self.file.write_all_at(MARK.0, MARK.1)
    }

    /// Whether the file still has its name in the directory.
    pub(super) fn is_linked(&self) -> io::Result<bool> {
        // Only this of what there is to know: a look at its times makes the next write record the exact time, which
        // takes Linux longer than the write.
        #[cfg(target_os = "linux")]
        if let Ok(known) = fs::statx(&self.file, c"", AtFlags::EMPTY_PATH, StatxFlags::NLINK) {
            return Ok(known.stx_nlink > 0);
        }
        Ok(self.file.metadata()?.nlink() > 0)
    }

    pub(super) fn read(&self) -> io::Result<Record> {
        let mut bytes = [0; 512];
        let length = self.file.read_at(&mut bytes, 0)?;
        if length < bytes.len() || bytes.contains(&b'\n') {
            return Ok(Record::from_bytes(&bytes[..length]).unwrap_or_default());
        }
        let mut all = vec![0; 16 * 1024];
        let length = self.file.read_at(&mut all, 0)?;
        Ok(Record::from_bytes(&all[..length]).unwrap_or_default())
    }

    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        self.file.write_all_at(record.to_line().as_bytes(), 0)
    }

    /// Who holds the lock, or for whom it is kept.
    pub(super) fn holder(&self, locks: &Locks) -> io::Result<Option<Holder>> {
        let record = self.read()?;
        let kept_for = record.parked_for();
        let taken = kept_for.is_some() || self.is_locked_by_somebody(locks, &record)?;
        Ok(if taken { record.holder(kept_for) } else { None })
    }

    /// Whether any process has the file locked, without getting in its way.
    fn is_locked_by_somebody(&self, locks: &Locks, record: &Record) -> io::Result<bool> {
        let about = self.file.metadata()?;
        match locks.find((fs::major(about.dev()), fs::minor(about.dev()), about.ino()), record.pid()) {
            Some(Listed::Surely) => Ok(true),
            // The list leaves out the processes of other containers.
            Some(Listed::No) if record.is_within_sight() => Ok(false),
            _ => self.probe(),
        }
    }

    /// Takes the lock for a moment, together with others who look, and wakes those who failed because of that.
    fn probe(&self) -> io::Result<bool> {
        match self.file.try_lock_shared() {
            Ok(()) => {
                self.file.unlock()?;
                // This one may be open for reading only. Closing one that is open for writing is heard as well.
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                drop(File::options().write(true).open(path));
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A lock of this process.
struct Hold {
    lease: Lease,
    file: Opened,
    record: Record,
    tell: Option<Tell>,
}

impl Hold {
    /// A clean-up that does not know whether there was a grant asks without a token.
    fn is_of(&self, lease: &Lease) -> bool {
        let same_grant = lease.fencing_token == 0 || lease.fencing_token == self.lease.fencing_token;
        self.lease.owner == lease.owner && same_grant
    }
}

/// See the [module](self).
pub(super) struct Held {
    directory: Arc<Directory>,
    /// How often names in the directory have changed, as far as it was told.
    changes: AtomicU64,
    /// Boxed: a map has room for more than it holds, and doubles what that takes.
    locked: Mutex<HashMap<Key, Box<Hold>>>,
    idle: Mutex<HashMap<Key, Opened>>,
}

impl Held {
    pub(super) fn new(directory: &Arc<Directory>) -> Self {
        Self {
            directory: Arc::clone(directory),
            changes: AtomicU64::new(0),
            locked: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn insert(&self, lease: Lease, file: Opened, record: Record) {
        lock(&self.locked).insert(lease.key.clone(), Box::new(Hold { lease, file, record, tell: None }));
    }

    /// The holder of a key, if it is this process by this locker.
    pub(super) fn holder(&self, key: &Key) -> Option<Holder> {
        // After a forced release the file in the key's place is another one, and so is its holder.
        let held = lock(&self.locked);
        let hold = held.get(key).filter(|hold| hold.file.is_linked().unwrap_or(false));
        hold.and_then(|hold| hold.record.holder(None))
    }

    /// The lease that `owner` has on `key` already.
    pub(super) fn lease_of(&self, key: &Key, owner: &Owner) -> Option<Lease> {
        let held = lock(&self.locked);
        let hold = held.get(key).filter(|hold| hold.lease.owner == *owner && !hold.file.stray);
        hold.filter(|hold| hold.file.is_linked().unwrap_or(false)).map(|hold| hold.lease.clone())
    }

    /// `None`: it is not this lease's any more.
    pub(super) fn remove(&self, lease: &Lease) -> Option<Opened> {
        let mut held = lock(&self.locked);
        held.get(&lease.key).filter(|hold| hold.is_of(lease))?;
        let hold = held.remove(&lease.key);
        drop(held);
        hold.map(|hold| hold.file)
    }

    /// Whether the lease is held, on a file that still has its name.
    pub(super) fn is_linked(&self, lease: &Lease) -> bool {
        let held = lock(&self.locked);
        let hold = held.get(&lease.key).filter(|hold| hold.is_of(lease));
        hold.is_some_and(|hold| !hold.file.stray && hold.file.is_linked().unwrap_or(false))
    }

    /// Returns whether something may have become of the file since it was locked.
    pub(super) fn tell(&self, lease: &Lease, tell: Tell) -> bool {
        let mut held = lock(&self.locked);
        let Some(hold) = held.get_mut(&lease.key).filter(|hold| hold.is_of(lease)) else { return false };
        hold.tell = Some(tell);
        hold.file.locked_at != self.changes()
    }

    /// Tells the holders whose files have lost their names, or whose names stand for other files by now.
    pub(super) fn tell_unlinked(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        lock(&self.idle).clear();
        let moved = |(key, hold): (&Key, &mut Box<Hold>)| {
            if self.directory.has_in_place(key, &hold.file.file) {
                return None;
            }
            hold.file.stray = true;
            hold.tell.take()
        };
        let gone: Vec<_> = lock(&self.locked).iter_mut().filter_map(moved).collect();
        // What is told may give the lease back, which comes here for the same mutex.
        gone.iter().for_each(|tell| tell());
    }

    /// A file that was left open.
    pub(super) fn idle(&self, key: &Key) -> Option<Opened> {
        lock(&self.idle).remove(key)
    }

    /// Leaves a file open that is not locked.
    pub(super) fn keep(&self, key: &Key, file: Opened) {
        if file.stray {
            return;
        }
        let mut idle = lock(&self.idle);
        let spare = if idle.len() < IDLE { None } else { idle.keys().next().cloned() };
        let closed = spare.and_then(|spare| idle.remove(&spare));
        let replaced = idle.insert(key.clone(), file);
        drop(idle);
        drop((closed, replaced));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
