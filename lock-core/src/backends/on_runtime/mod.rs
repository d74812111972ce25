//! What is kept on the runtimes of async callers: a call on one of their connections costs no hop through the background
//! thread.
//!
//! Only with `on_runtime=yes`: whether a runtime has input and output, and timers, cannot be asked, and one without says
//! it by a panic. That would be caught here, but not before whatever the program does about panics.
//!
//! What may interleave, and why it is harmless:
//! - A runtime may end at any moment, and what is kept on it with it. Nothing depends on these: who finds nothing, or
//!   something that breaks, goes through the background thread. It goes with the task that keeps it, which its runtime drops
//!   when it ends; or at once, if that has ended already.
//! - A request may be under way then, or be dropped before its answer: it may have been executed, and the engine gives back
//!   what it may have been granted. Its connection is not used again, but for one of several that were sent together on Redis.
//! - A future that began on one runtime may be polled on another, or by the background thread: what it reads is announced by
//!   the runtime that it began on, while that is driven. So nothing of it may need a timer, or make a connection.
//! - Nobody may drive the runtime (it is blocked, or its owner does something else): then no answer comes, until whoever
//!   asked has waited for long enough and asks the background thread.
//! - A forked child has none of the threads of its parent's runtimes: what is kept on them is left alone.

#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres"))]
mod pools;

use std::{
    mem,
    ops::DerefMut,
    sync::{Arc, Weak},
};

use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};

#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres"))]
pub(in crate::backends) use self::pools::Pools;
use crate::{
    background,
    sync::{self, Mutex},
};

/// Something for each runtime, made when it is first asked for.
pub(in crate::backends) struct OnRuntimes<T> {
    known: Mutex<Known<T>>,
}

struct Known<T> {
    process: u32,
    /// Few, so that they are found sooner in a list.
    runtimes: Vec<(Id, Kept<T>)>,
    /// Numbers them, so that the end of an old one does not end its successor.
    last: u64,
}

struct Kept<T> {
    number: u64,
    /// `None`: it is being made, or cannot be made here.
    what: Option<T>,
    /// `None` while it is being begun, and for a runtime that cannot have one: a handle would keep its memory.
    task: Option<AbortHandle>,
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Which of them it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::backends) struct Place {
    runtime: Id,
    number: u64,
}

impl<T> Known<T> {
    fn at(&mut self, place: Place) -> Option<&mut Kept<T>> {
        let kept = self.runtimes.iter_mut().find(|(runtime, _)| *runtime == place.runtime)?;
        Some(&mut kept.1).filter(|kept| kept.number == place.number)
    }
}

impl<T: Clone + Send + 'static> OnRuntimes<T> {
    pub(in crate::backends) fn new() -> Arc<Self> {
        let process = std::process::id();
        Arc::new(Self { known: Mutex::new(Known { process, runtimes: Vec::new(), last: 0 }) })
    }

    /// What is kept on the caller's runtime, in this `process`. Where there is nothing yet, `keep` is run there, for the next
    /// call.
    pub(in crate::backends) fn get<F>(
        self: &Arc<Self>,
        process: u32,
        keep: impl FnOnce(Keeper<T>) -> F,
    ) -> Option<T>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if background::is_current() {
            return None;
        }
        let handle = Handle::try_current().ok()?;
        let runtime = handle.id();
        let mut known = self.known_in(process);
        if let Some((_, kept)) = known.runtimes.iter().find(|(known, _)| *known == runtime) {
            return kept.what.clone();
        }
        known.last += 1;
        let place = Place { runtime, number: known.last };
        known.runtimes.push((runtime, Kept { number: place.number, what: None, task: None }));
        drop(known);
        // Made here, so that it forgets the runtime also if that ends before it begins.
        let task = handle.spawn(keep(Keeper { of: Arc::downgrade(self), place }));
        match self.known_in(process).at(place) {
            Some(kept) => kept.task = Some(task.abort_handle()),
            None => task.abort(),
        }
        None
    }

    /// It is of no use any more; the next call makes another.
    pub(in crate::backends) fn remove(&self, place: Place) {
        let removed = {
            let mut known = self.known();
            let is_there = known.at(place).is_some();
            let found = known.runtimes.iter().position(|(runtime, _)| *runtime == place.runtime);
            found.filter(|_| is_there).map(|found| known.runtimes.swap_remove(found))
        };
        drop(removed);
    }

    /// None of them is of any use any more.
    #[cfg(feature = "redis")]
    pub(in crate::backends) fn clear(&self) {
        let all = mem::take(&mut self.known().runtimes);
        drop(all);
    }

    /// What is kept at the moment.
    #[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres"))]
    fn all(&self) -> Vec<T> {
        self.known().runtimes.iter().filter_map(|(_, kept)| kept.what.clone()).collect()
    }

    fn known(&self) -> impl DerefMut<Target = Known<T>> + '_ {
        self.known_in(std::process::id())
    }

    fn known_in(&self, process: u32) -> impl DerefMut<Target = Known<T>> + '_ {
        let mut known = sync::lock(&self.known);
        if known.process != process {
            // A forked child: they are its parent's, and closing them is not for the child to do.
            mem::forget(mem::take(&mut known.runtimes));
            known.process = process;
        }
        known
    }
}

/// Whoever keeps it, in a task of its runtime. Dropped with that, it is forgotten.
pub(in crate::backends) struct Keeper<T: Clone + Send + 'static> {
    of: Weak<OnRuntimes<T>>,
    place: Place,
}

impl<T: Clone + Send + 'static> Keeper<T> {
    /// Which of them it is.
    #[cfg(any(feature = "redis", test))]
    pub(in crate::backends) const fn place(&self) -> Place {
        self.place
    }

    /// It can be had from now on. `false`: nobody is there to have it any more.
    pub(in crate::backends) fn has(&self, what: T) -> bool {
        let Some(of) = self.of.upgrade() else { return false };
        let mut known = of.known();
        known.at(self.place).map(|kept| kept.what = Some(what)).is_some()
    }
}

impl<T: Clone + Send + 'static> Drop for Keeper<T> {
    fn drop(&mut self) {
        let Some(of) = self.of.upgrade() else { return };
        if std::thread::panicking() {
            // A runtime that cannot have one is remembered as such: it would panic each time.
            let what = of.known().at(self.place).and_then(|kept| {
                kept.task = None;
                kept.what.take()
            });
            drop(what);
        } else {
            of.remove(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> std::io::Result<Runtime> {
        Builder::new_current_thread().build()
    }

    /// Keeps a number.
    async fn seven(keeper: Keeper<u32>) {
        assert!(keeper.has(7));
        std::future::pending::<()>().await;
    }

    /// Asks twice: whoever keeps it has had his turn in between.
    async fn asked(on: &Arc<OnRuntimes<u32>>) -> [Option<u32>; 2] {
        let ask = || on.get(std::process::id(), seven);
        let first = ask();
        tokio::task::yield_now().await;
        [first, ask()]
    }

    #[test]
    fn each_runtime_has_its_own_which_is_forgotten_with_it() {
        let on = OnRuntimes::new();
        let (first, second) = (runtime().unwrap(), runtime().unwrap());
        assert_eq!(first.block_on(asked(&on)), [None, Some(7)]);
        assert_eq!(second.block_on(asked(&on)), [None, Some(7)]);
        assert_eq!(first.block_on(asked(&on)), [Some(7), Some(7)]);
        drop(first);
        assert_eq!(on.known().runtimes.len(), 1);
        drop(second);
        assert!(on.known().runtimes.is_empty());
        assert!(on.get(std::process::id(), seven).is_none(), "nobody is on a runtime");
    }

    #[test]
    fn what_is_removed_is_made_anew_and_its_end_does_not_end_its_successor() {
        let (on, runtime) = (OnRuntimes::new(), runtime().unwrap());
        // Keeps where it is kept.
        let kept = || {
            on.get(std::process::id(), |keeper| async move {
                assert!(keeper.has(keeper.place()));
                std::future::pending::<()>().await;
            })
        };
        runtime.block_on(async {
            assert!(kept().is_none());
            tokio::task::yield_now().await;
            let old = kept().unwrap();
            on.remove(old);
            assert!(kept().is_none());
            tokio::task::yield_now().await;
            // The task of the old one has ended meanwhile.
            on.remove(old);
            tokio::task::yield_now().await;
            assert!(kept().is_some_and(|new| new.number > old.number));
        });
    }

    #[test]
    fn a_runtime_that_cannot_have_it_is_not_tried_again() {
        let (on, runtime, tried) =
            (OnRuntimes::<u32>::new(), runtime().unwrap(), Arc::new(AtomicU32::new(0)));
        runtime.block_on(async {
            for _ in 0..5 {
                let tried = Arc::clone(&tried);
                let none = on.get(std::process::id(), |keeper| async move {
                    let _keeper = keeper;
                    tried.fetch_add(1, Ordering::SeqCst);
                    // There are no timers here.
                    tokio::time::sleep(Duration::ZERO).await;
                });
                assert!(none.is_none());
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(tried.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_forked_child_leaves_its_parents_alone() {
        let (on, runtime) = (OnRuntimes::new(), runtime().unwrap());
        runtime.block_on(async {
            assert_eq!(asked(&on).await, [None, Some(7)]);
            assert!(on.get(u32::MAX, seven).is_none());
        });
    }
}
