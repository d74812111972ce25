//! Those who wait for a lock that another process holds, and how they hear that it is free.
//!
//! One thread per locker, started when it is first needed, reads the kernel's notifications (inotify) for all of its
//! waiters. What may interleave:
//! - *bell × look*: the watch begins before the engine looks again, so that a release in between is seen or heard.
//! - *death × look*: of a process that dies, the kernel announces the closing of a file a moment before it frees the
//!   lock. After such an announcement the waiter therefore looks a few times more, in growing steps.
//! - *one's own noise*: closing a file opened for writing is announced to all. A waiter keeps its file open over all
//!   its attempts, or two waiters would wake each other for ever.
//! - *watch × watch*: two watches of a file are one to the kernel; it is ended when the last of them ends.

#[cfg(target_os = "linux")]
mod inotify;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{directory::Directory, held::Held, opened::Opened};
use crate::{
    backend::{Request, Watch},
    key::Key,
    lease::Owner,
};

/// Whether waiters are woken here, or have to look.
pub(super) const SUPPORTED: bool = cfg!(target_os = "linux");

/// Whether the names in the directory are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    AsBefore,
    FromNowOn,
    Not,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Watcher {
    waiting: Arc<Waiting>,
    #[cfg(target_os = "linux")]
    inotify: inotify::Lazy,
}

/// Who waits, by key and owner: an owner may be the caller's choice, and the same for several keys.
#[derive(Default)]
struct Waiting(Mutex<HashMap<(Key, Owner), Waiter>>);

fn name(request: &Request) -> (Key, Owner) {
    (request.key.clone(), request.owner.clone())
}

struct Waiter {
    file: Option<Opened>,
    #[cfg(target_os = "linux")]
    subscription: inotify::Subscription,
}

impl Waiting {
    fn all(&self) -> MutexGuard<'_, HashMap<(Key, Owner), Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Whether a request has begun to wait.
    pub(super) fn is_waiting(&self, request: &Request) -> bool {
        let waiting = self.waiting.all();
        // Most of the time nobody waits, and a name takes a moment to make.
        !waiting.is_empty() && waiting.contains_key(&name(request))
    }

    /// The file with which a request waits.
    pub(super) fn take(&self, request: &Request) -> Option<Opened> {
        let mut waiting = self.waiting.all();
        if waiting.is_empty() {
            return None;
        }
        waiting.get_mut(&name(request)).and_then(|waiter| waiter.file.take())
    }

    /// Keeps the file of a request that goes on waiting; gives back that of one that does not wait.
    pub(super) fn put_back(&self, request: &Request, file: Opened) -> Option<Opened> {
        match self.waiting.all().get_mut(&name(request)) {
            Some(waiter) => {
                waiter.file = Some(file);
                None
            }
            None => Some(file),
        }
    }
}

#[cfg(target_os = "linux")]
impl Watcher {
    /// `None`: the kernel has no more notifications to give, or something else keeps us from them.
    pub(super) fn watch(
        &self,
        request: &Request,
        directory: &Directory,
        held: &Arc<Held>,
    ) -> Option<Box<dyn Watch>> {
        let inotify = self.inotify.get(directory, held)?;
        let file = match held.idle(&request.key) {
            Some(file) => file,
            None => directory.open(&request.key).ok()?,
        };
        let (subscription, bell) = inotify.subscribe(&directory.path_of(&request.key))?;
        self.waiting.all().insert(name(request), Waiter { file: Some(file), subscription });
        Some(Box::new(inotify::Listening::new(bell, Leaving(Arc::clone(&self.waiting), name(request)))))
    }

    /// Follows a request's file to the one that has taken its place.
    pub(super) fn replaced(&self, request: &Request, directory: &Directory) {
        if let Some(waiter) = self.waiting.all().get_mut(&name(request)) {
            waiter.subscription.follow(&directory.path_of(&request.key));
        }
    }

    /// Sees to it that holders are told when their files lose their names.
    pub(super) fn guard(&self, directory: &Directory, held: &Arc<Held>) -> Watched {
        self.inotify.guard(directory, held)
    }
}

#[cfg(not(target_os = "linux"))]
impl Watcher {
    pub(super) fn watch(&self, _: &Request, _: &Directory, _: &Arc<Held>) -> Option<Box<dyn Watch>> {
        None
    }

    pub(super) fn replaced(&self, _: &Request, _: &Directory) {}

    pub(super) fn guard(&self, _: &Directory, _: &Arc<Held>) -> Watched {
        Watched::Not
    }
}

/// Ends a request's waiting.
struct Leaving(Arc<Waiting>, (Key, Owner));

impl Drop for Leaving {
    fn drop(&mut self) {
        let left = self.0.all().remove(&self.1);
        // The subscription's end takes other locks: not under this one.
        drop(left);
    }
}
