//! The one background thread of the process: timers, renewals, releases, and the connections of backends.
//!
//! It outlives every runtime of the application, so that neither a renewal nor a release depends on one. It is
//! started when it is first needed and never ended; what it runs must never block it.

use std::{
    cell::Cell,
    future::Future,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle},
    task::JoinHandle,
};

use crate::{error::Error, schedule::Schedule};

/// How long the end of a thread, and with it that of the process, waits for releases that it has left to us.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Background {
    process: u32,
    handle: Handle,
    schedule: Arc<Schedule>,
}

static BACKGROUND: Mutex<Option<Background>> = Mutex::new(None);

/// The background thread, started where there is none.
///
/// # Errors
/// [`Error::Config`] if the operating system refuses another thread.
fn background() -> Result<Background, Error> {
    with_background(Background::clone)
}

fn with_background<T>(take: impl FnOnce(&Background) -> T) -> Result<T, Error> {
    let mut background = BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner);
    // A forked child has our memory but not our thread.
    let process = std::process::id();
    match &*background {
        Some(known) if known.process == process => Ok(take(known)),
        _ => {
            let started = Background { process, handle: start()?, schedule: Arc::new(Schedule::new()) };
            let schedule = Arc::clone(&started.schedule);
            drop(started.handle.spawn(async move { schedule.run().await }));
            Ok(take(background.insert(started)))
        }
    }
}

/// What is due when.
///
/// # Errors
/// [`Error::Config`] if the operating system refuses another thread.
pub(crate) fn schedule() -> Result<Arc<Schedule>, Error> {
    with_background(|background| Arc::clone(&background.schedule))
}

thread_local!(static IS_CURRENT: Cell<bool> = const { Cell::new(false) });

/// Whether this is the background thread, which must not wait for itself.
pub(crate) fn is_current() -> bool {
    IS_CURRENT.get()
}

fn start() -> Result<Handle, Error> {
    let failed = |error| Error::config(format!("could not start the background thread of `lock`: {error}"));
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    let runtime = builder.build().map_err(failed)?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("lock-background".into())
        .spawn(move || {
            IS_CURRENT.set(true);
            runtime.block_on(std::future::pending::<()>());
        })
        .map_err(failed)?;
    Ok(handle)
}

/// Runs `job` on the background thread, to its end, whether or not anybody waits for it.
pub(crate) fn spawn<F>(job: F) -> Result<JoinHandle<F::Output>, Error>
where
    F: Future<Output: Send> + Send + 'static,
{
    Ok(background()?.handle.spawn(job))
}

/// Something that is ready at a moment, on any executor.
pub(crate) fn alarm(at: Instant) -> Result<JoinHandle<()>, Error> {
    // The timer is made inside the job: outside of it, it would belong to the caller's runtime, or to none.
    spawn(async move { tokio::time::sleep_until(at.into()).await })
}

/// Like [`spawn`], for what must be done before the process ends: the end of the calling thread waits for it.
///
/// A thread's end can be noticed without `unsafe` in its thread-local destructors. The main thread's run when `main`
/// has returned, and a runtime that is dropped joins its workers.
pub(crate) fn spawn_before_exit<F>(job: F) -> Result<JoinHandle<F::Output>, Error>
where
    F: Future<Output: Send> + Send + 'static,
{
    thread_local!(static PENDING: AtExit = AtExit::default());
    // In a thread that is just ending there is nobody left to wait.
    let promise = PENDING.try_with(|exit| Promise::new(&exit.0)).ok();
    spawn(async move {
        let _promise = promise;
        job.await
    })
}

/// How much a thread has left to be done.
#[derive(Default)]
struct Pending {
    jobs: Mutex<usize>,
    done: Condvar,
}

#[derive(Default)]
struct AtExit(Arc<Pending>);

impl Drop for AtExit {
    fn drop(&mut self) {
        let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // Past the limit the leases end by themselves.
        drop(self.0.done.wait_timeout_while(jobs, DRAIN, |jobs| *jobs > 0));
    }
}

struct Promise(Arc<Pending>);

impl Promise {
    fn new(pending: &Arc<Pending>) -> Self {
        *pending.jobs.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Arc::clone(pending))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        *self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_panic_in_a_job_ends_the_job_only() {
        let job = spawn(async { panic!("on purpose") });
        assert!(crate::park::block_on(job.unwrap()).is_err());
        assert_eq!(crate::park::block_on(spawn(async { 7 }).unwrap()).ok(), Some(7));
    }

    #[test]
    fn the_end_of_a_thread_waits_for_what_it_left_behind() {
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let job = async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            flag.store(true, Ordering::SeqCst);
        };
        thread::spawn(move || spawn_before_exit(job).map(drop)).join().unwrap().unwrap();
        assert!(done.load(Ordering::SeqCst));
    }
}
