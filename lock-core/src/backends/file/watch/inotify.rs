//! The kernel's notifications, read by one thread.

use std::{
    collections::HashMap,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::sync::Notify;

use super::{
    super::{directory::Directory, held::Held},
    Leaving, Watched,
};
use crate::{
    backend::{BoxFuture, Signal, Watch},
    race::{Either, race},
};

/// After a holder's death was announced, the lock is free within microseconds, unless its process is slow to end.
const ECHO: [Duration; 8] = {
    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
    [ms(1), ms(2), ms(4), ms(8), ms(16), ms(32), ms(64), ms(128)]
};

/// The notifications of one directory, once somebody needs them.
#[derive(Default)]
pub(super) struct Lazy(Mutex<Option<Handle>>);

impl Lazy {
    pub(super) fn get(&self, directory: &Directory, held: &Arc<Held>) -> Option<Arc<Inotify>> {
        let mut handle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handle.as_ref().filter(|handle| handle.is_running()) {
            return Some(Arc::clone(&handle.0));
        }
        match Inotify::start(directory, held) {
            Ok(started) => Some(Arc::clone(&handle.insert(Handle(started)).0)),
            Err(error) => {
                tracing::debug!(?directory, %error, "no inotify: waiters look every `retry` instead");
                None
            }
        }
    }

    pub(super) fn guard(&self, directory: &Directory, held: &Arc<Held>) -> Watched {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Handle::is_running) {
            return Watched::AsBefore;
        }
        self.get(directory, held).map_or(Watched::Not, |_| Watched::FromNowOn)
    }
}

/// Ends the thread when it is dropped.
struct Handle(Arc<Inotify>);

impl Handle {
    fn is_running(&self) -> bool {
        !self.0.ended.load(Ordering::Acquire)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        // The end of the directory's watch is announced, and wakes the thread; it may have ended before.
        let _ = inotify::remove_watch(&self.0.queue, self.0.directory.load(Ordering::Acquire));
    }
}

fn watch_names(queue: &OwnedFd, directory: &Path) -> rustix::io::Result<i32> {
    let names = WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM | WatchFlags::DELETE;
    let itself = WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::ONLYDIR;
    inotify::add_watch(queue, directory, names | itself)
}

/// The thread, also one that ends by a panic: those who listen must not wait for ever.
struct Ending(Arc<Inotify>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.bells().values().flatten().for_each(|bell| bell.end());
    }
}

/// See the [module](self).
pub(super) struct Inotify {
    queue: OwnedFd,
    path: PathBuf,
    /// The watch of the directory that is at the path.
    directory: AtomicI32,
    bells: Mutex<HashMap<i32, Vec<Arc<Bell>>>>,
    /// Nobody reads the notifications any more.
    ended: AtomicBool,
}

impl Inotify {
    fn start(directory: &Directory, held: &Arc<Held>) -> std::io::Result<Arc<Self>> {
        let queue = inotify::init(CreateFlags::CLOEXEC)?;
        let path = directory.path().to_owned();
        let directory = AtomicI32::new(watch_names(&queue, &path)?);
        let inotify =
            Arc::new(Self { queue, path, directory, bells: Mutex::default(), ended: AtomicBool::new(false) });
        let (ending, held) = (Ending(Arc::clone(&inotify)), Arc::downgrade(held));
        thread::Builder::new().name("lock-file-watch".into()).spawn(move || {
            ending.0.listen(&|| {
                if let Some(held) = held.upgrade() {
                    held.tell_unlinked();
                }
            });
        })?;
        Ok(inotify)
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<i32, Vec<Arc<Bell>>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, names_changed: &dyn Fn()) {
        let mut space = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = Reader::new(&self.queue, &mut space);
        loop {
            let (of, what) = match reader.next() {
                Ok(event) => (event.wd(), event.events()),
                Err(Errno::INTR) => continue,
                Err(error) => {
                    return tracing::warn!(%error, "inotify failed; waiters look for themselves");
                }
            };
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.bells().values().flatten().for_each(|bell| bell.ring(true));
                names_changed();
            } else if of == self.directory.load(Ordering::Acquire) {
                names_changed();
                let gone =
                    ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT;
                if what.intersects(gone) {
                    // Others meet in the directory that is at the path by now, if there is one.
                    let there = watch_names(&self.queue, &self.path).ok().filter(|there| *there != of);
                    let (Some(there), false) = (there, self.ended.load(Ordering::Acquire)) else { return };
                    self.directory.store(there, Ordering::Release);
                    names_changed();
                }
            } else if let Some(bells) = self.bells().get(&of) {
                let maybe_death = what.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::CLOSE_NOWRITE);
                bells.iter().for_each(|bell| bell.ring(maybe_death));
            }
        }
    }

    pub(super) fn subscribe(self: &Arc<Self>, path: &Path) -> Option<(Subscription, Arc<Bell>)> {
        let bell = Arc::new(Bell::default());
        let watch = self.add(path, &bell)?;
        Some((Subscription { inotify: Arc::clone(self), watch, bell: Arc::clone(&bell) }, bell))
    }

    fn add(&self, path: &Path, bell: &Arc<Bell>) -> Option<i32> {
        // Under the mutex, so that the end of another watch of the same file does not end this one.
        let mut bells = self.bells();
        // The bell; the death of a holder, also of one that had it open for reading, as flock(1) has; the loss of the
        // file's name.
        let death = WatchFlags::CLOSE_WRITE | WatchFlags::CLOSE_NOWRITE;
        let heard = WatchFlags::MODIFY | death | WatchFlags::ATTRIB;
        match inotify::add_watch(&self.queue, path, heard) {
            Ok(watch) => {
                bells.entry(watch).or_default().push(Arc::clone(bell));
                if self.ended.load(Ordering::Acquire) {
                    bell.end();
                }
                Some(watch)
            }
            Err(error) => {
                tracing::debug!(?path, %error, "no inotify watch: the waiter looks every `retry` instead");
                None
            }
        }
    }

    fn remove(&self, watch: i32, bell: &Arc<Bell>) {
        let mut bells = self.bells();
        let Some(of_file) = bells.get_mut(&watch) else { return };
        of_file.retain(|other| !Arc::ptr_eq(other, bell));
        if of_file.is_empty() {
            bells.remove(&watch);
            // It may have ended with its file.
            let _ = inotify::remove_watch(&self.queue, watch);
        }
    }
}

/// What one waiter hears.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Notify,
    maybe_death: AtomicBool,
    ended: AtomicBool,
}

impl Bell {
    fn ring(&self, maybe_death: bool) {
        if maybe_death {
            self.maybe_death.store(true, Ordering::Release);
        }
        self.rung.notify_one();
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.rung.notify_one();
    }
}

/// A waiter's watch of a file, until it is dropped.
pub(super) struct Subscription {
    inotify: Arc<Inotify>,
    watch: i32,
    bell: Arc<Bell>,
}

impl Subscription {
    /// Watches the file that is now at `path` instead.
    pub(super) fn follow(&mut self, path: &Path) {
        match self.inotify.add(path, &self.bell) {
            Some(watch) if watch != self.watch => {
                self.inotify.remove(std::mem::replace(&mut self.watch, watch), &self.bell);
            }
            Some(_) => {}
            None => self.bell.end(),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inotify.remove(self.watch, &self.bell);
    }
}

/// The announcements to one waiter.
pub(super) struct Listening {
    bell: Arc<Bell>,
    echo: std::slice::Iter<'static, Duration>,
    _leaving: Leaving,
}

impl Listening {
    pub(super) fn new(bell: Arc<Bell>, leaving: Leaving) -> Self {
        Self { bell, echo: [].iter(), _leaving: leaving }
    }

    async fn heard(&mut self) -> Option<Signal> {
        let again = self.echo.next();
        let echo = async {
            match again {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => std::future::pending().await,
            }
        };
        let rung = matches!(race(self.bell.rung.notified(), echo).await, Either::First(()));
        if rung && self.bell.maybe_death.swap(false, Ordering::AcqRel) {
            self.echo = ECHO.iter();
        }
        (!self.bell.ended.load(Ordering::Acquire)).then_some(Signal::LookAgain)
    }
}

impl Watch for Listening {
    fn next(&mut self) -> BoxFuture<'_, Option<Signal>> {
        Box::pin(self.heard())
    }
}
