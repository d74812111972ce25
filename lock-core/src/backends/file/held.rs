//! The files that this process has open.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{directory::Directory, idle::Idle, opened::Opened, record::holder_here};
use crate::{
    backend::Tell,
    key::Key,
    lease::{Holder, Lease, Owner},
    sync::{self, Mutex},
};

/// A lock of this process.
struct Hold {
    lease: Lease,
    file: Opened,
    /// In microseconds since 1970.
    since: u64,
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
    idle: Idle,
}

impl Held {
    pub(super) fn new(directory: &Arc<Directory>) -> Self {
        Self {
            directory: Arc::clone(directory),
            changes: AtomicU64::new(0),
            locked: Mutex::default(),
            idle: Idle::default(),
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn insert(&self, lease: Lease, file: Opened, since: u64) {
        sync::lock(&self.locked).insert(lease.key.clone(), Box::new(Hold { lease, file, since, tell: None }));
    }

    /// The holder of a key, if it is this process by this locker.
    pub(super) fn holder(&self, key: &Key) -> Option<Holder> {
        // After a forced release the file in the key's place is another one, and so is its holder.
        let held = sync::lock(&self.locked);
        let hold = held.get(key).filter(|hold| hold.file.is_linked().unwrap_or(false));
        hold.map(|hold| holder_here(&hold.lease, hold.since))
    }

    /// The lease that `owner` has on `key` already.
    pub(super) fn lease_of(&self, key: &Key, owner: &Owner) -> Option<Lease> {
        let held = sync::lock(&self.locked);
        let hold = held.get(key).filter(|hold| hold.lease.owner == *owner && !hold.file.stray);
        hold.filter(|hold| hold.file.is_linked().unwrap_or(false)).map(|hold| hold.lease.clone())
    }

    /// `None`: it is not this lease's any more.
    pub(super) fn remove(&self, lease: &Lease) -> Option<Opened> {
        let mut held = sync::lock(&self.locked);
        held.get(&lease.key).filter(|hold| hold.is_of(lease))?;
        let hold = held.remove(&lease.key);
        drop(held);
        hold.map(|hold| hold.file)
    }

    /// Whether the lease is held, on a file that still has its name.
    pub(super) fn is_linked(&self, lease: &Lease) -> bool {
        let held = sync::lock(&self.locked);
        let hold = held.get(&lease.key).filter(|hold| hold.is_of(lease));
        hold.is_some_and(|hold| !hold.file.stray && hold.file.is_linked().unwrap_or(false))
    }

    /// Returns whether something may have become of the file since it was locked.
    pub(super) fn tell(&self, lease: &Lease, tell: Tell) -> bool {
        let mut held = sync::lock(&self.locked);
        let Some(hold) = held.get_mut(&lease.key).filter(|hold| hold.is_of(lease)) else { return false };
        hold.tell = Some(tell);
        hold.file.locked_at != self.changes()
    }

    /// Tells the holders whose files have lost their names, or whose names stand for other files by now.
    pub(super) fn tell_unlinked(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.idle.clear();
        let moved = |(key, hold): (&Key, &mut Box<Hold>)| {
            if self.directory.has_in_place(key, &hold.file.file) {
                return None;
            }
            hold.file.stray = true;
            hold.tell.take()
        };
        let gone: Vec<_> = sync::lock(&self.locked).iter_mut().filter_map(moved).collect();
        // What is told may give the lease back, which comes here for the same mutex.
        gone.iter().for_each(|tell| tell());
    }

    /// A file that was left open.
    pub(super) fn idle(&self, key: &Key) -> Option<Opened> {
        self.idle.take(key)
    }

    /// Leaves a file open that is not locked.
    pub(super) fn keep(&self, key: &Key, file: Opened) {
        if !file.stray {
            self.idle.keep(key, file);
        }
    }
}
