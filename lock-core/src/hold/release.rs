//! The end of a lease: given back, given away, or left to the next in line.
//!
//! What may interleave: the caller of a release may go away, its runtime may end, and the answer may get lost. What was
//! begun is done to its end on the background thread, and the turn in this process is left only then.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::leased::{Leased, Phase};
use crate::{
    acquire::Caller,
    backend::{Answer, Backend, Fault, Shortcut},
    background,
    clock::Moment,
    error::Result,
    lease::{Lease, Ttl},
    locker::{ABANDONED, CALL_LIMIT, SHORT_LIMIT, limited, limited_anywhere},
    park,
};

/// When a lease is released again whose request may have been on its way for longer than its answer was waited for: the
/// kernel gives a connection up that is not answered for 10 s.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

impl Leased {
    pub(super) async fn release(self: &Arc<Self>, caller: Caller) -> Result<()> {
        let late = self.has_passed();
        let Some(job) = self.begin_release()? else { return Ok(()) };
        if late && !self.immediate {
            // Whatever the store may say, and whenever: it was lost.
            drop(background::spawn_before_exit(job)?);
            return Err(self.lost_error());
        }
        let released = match self.finish_here(job, caller) {
            Ok(done) => done,
            Err(job) => match self.finish_on_the_way(job, caller).await {
                Ok(done) => done,
                Err(job) => {
                    let job = background::spawn_before_exit(job)?;
                    job.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed)))
                }
            },
        };
        match released {
            Ok(true) if !late => Ok(()),
            Ok(_) => Err(self.lost_error()),
            Err(fault) => Err(fault.into_error(&self.lease.key, "release")),
        }
    }

    pub(super) fn release_now(self: &Arc<Self>, caller: Caller) {
        let Ok(Some(job)) = self.begin_release() else { return };
        if let Err(job) = self.finish_here(job, caller) {
            self.finish(job, caller, "release failed");
        }
    }

    /// What is left to do when such a lease has ended.
    pub(crate) fn give_back_again_if_doubtful(&self) {
        if self.again.load(Ordering::Acquire) {
            give_back_again(&self.backend, &self.lease);
        }
    }

    /// The release as a job, if this call is the one to do it.
    fn begin_release(
        self: &Arc<Self>,
    ) -> Result<Option<impl Future<Output = Result<bool, Fault>> + Send + 'static>> {
        match self.end(Phase::Released) {
            Phase::Held => {}
            Phase::Released => return Ok(None),
            Phase::Lost => return Err(self.lost_error()),
        }
        self.unschedule();
        if self.hand_over() {
            return Ok(None);
        }
        if let (Some(turn), false) = (self.turn, self.immediate) {
            self.target.locker.queue().releasing(&self.target.key, turn);
        }
        let leaving = Leaving(Arc::clone(self));
        Ok(Some(async move {
            let hold = &leaving.0;
            let released = give_back(&*hold.backend, &hold.lease).await?;
            Ok(released || hold.doubtful.load(Ordering::Acquire))
        }))
    }

    /// Releases in the caller's thread where there is a way; gives the job for the background thread back otherwise.
    fn finish_here<F>(&self, job: F, caller: Caller) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>>,
    {
        if caller == Caller::Blocking && !background::is_current() {
            match self.backend.release_blocking(&self.lease, SHORT_LIMIT) {
                Some(Ok(released)) => {
                    // This leaves the turn.
                    drop(job);
                    return Ok(Ok(released));
                }
                Some(Err(fault)) => self.doubtful.store(fault.may_have_executed(), Ordering::Release),
                None => {}
            }
        }
        self.finish_inline(job)
    }

    /// Releases by a request that the async caller polls, where there is one; gives the job back otherwise.
    async fn finish_on_the_way<F>(
        &self,
        job: Pin<Box<F>>,
        caller: Caller,
    ) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>> + Send + 'static,
    {
        let here = if caller == Caller::Async { self.backend.release_here(&self.lease) } else { None };
        let Some(here) = here else { return Err(job) };
        let mut release = OnTheWay { here, job: Some(job) };
        let answer = limited_anywhere(SHORT_LIMIT, &mut release.here.answer).await;
        let job = release.job.take();
        match (answer, job) {
            (Err(fault), Some(job)) => {
                self.doubtful.store(fault.may_have_executed(), Ordering::Release);
                Err(job)
            }
            // Dropping the job leaves the turn.
            (answer, _) => Ok(answer),
        }
    }

    /// Does a job of an immediate backend here and now; gives any other back.
    fn finish_inline<F>(&self, job: F) -> Result<Result<bool, Fault>, Pin<Box<F>>>
    where
        F: Future<Output = Result<bool, Fault>>,
    {
        let mut job = Box::pin(job);
        if self.immediate
            && let Poll::Ready(answer) = job.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return Ok(answer);
        }
        Err(job)
    }

    pub(super) fn detach(self: &Arc<Self>, caller: Caller) {
        if self.end(Phase::Released) != Phase::Held {
            return;
        }
        self.unschedule();
        // From now on it is somebody else's, under the same owner: a release of ours would be one of his lease.
        self.again.store(false, Ordering::Release);
        let extended = Moment::from_nanos(self.extended.load(Ordering::Acquire)).until();
        let ttl = Ttl::new(extended).map_or(self.lease.ttl, |extended| extended.max(self.lease.ttl));
        let (leaving, immediate) = (Leaving(Arc::clone(self)), self.immediate);
        let job = async move {
            let hold = &leaving.0;
            let detaching = hold.backend.detach(&hold.lease, ttl);
            // What is done at its first poll may be polled outside of any runtime, where there are no timers.
            let detached = if immediate { detaching.await } else { limited(CALL_LIMIT, detaching).await };
            if let Err(error) = &detached {
                tracing::warn!(key = %hold.lease.key, %error, "could not prolong a lease that was given away");
            }
            detached
        };
        if let Err(job) = self.finish_inline(job) {
            self.finish(job, caller, "could not give a lease away");
        }
    }

    /// Does a job on the background thread; a blocking caller waits for it.
    fn finish<F>(&self, job: F, caller: Caller, failure: &str)
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match background::spawn_before_exit(job) {
            // On the background thread itself, waiting for it would never end.
            Ok(job) if caller == Caller::Blocking && !background::is_current() => drop(park::block_on(job)),
            Ok(_) => {}
            Err(error) => tracing::warn!(key = %self.lease.key, %error, "{failure}"),
        }
    }
}

/// A release that its caller polls; dropped, it is done on the background thread.
struct OnTheWay<F: Future<Output = Result<bool, Fault>> + Send + 'static> {
    here: Shortcut<bool>,
    job: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Result<bool, Fault>> + Send + 'static> Drop for OnTheWay<F> {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        let nothing: Answer<'static, bool> = Box::pin(async { Ok(false) });
        let here = std::mem::replace(&mut self.here.answer, nothing);
        let limit = if self.here.needs_runtime { ABANDONED } else { CALL_LIMIT };
        let done = background::spawn_before_exit(async move {
            // What was sent is not to arrive after what comes next.
            match limited(limit, here).await {
                // Dropping the job leaves the turn.
                Ok(_) => drop(job),
                Err(_) => drop(job.await),
            }
        });
        if let Err(error) = done {
            tracing::warn!(%error, "release failed");
        }
    }
}

/// Leaves the turn also when the job is dropped or panics.
struct Leaving(Arc<Leased>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
        self.0.give_back_again_if_doubtful();
    }
}

/// Releases some times more what an old request may still take, after everything else has let go of it.
pub(crate) fn give_back_again(backend: &Arc<dyn Backend>, lease: &Lease) {
    let (backend, lease) = (Arc::clone(backend), lease.clone());
    let job = background::spawn(async move {
        for pause in AGAIN_AFTER {
            tokio::time::sleep(pause).await;
            drop(limited(CALL_LIMIT, backend.release(&lease)).await);
        }
    });
    if let Err(error) = job {
        tracing::warn!(%error, "could not look after a request whose answer was lost");
    }
}

/// Gives a lease back: the owner is checked, so that it does no harm if it is somebody else's by now.
pub(crate) async fn give_back(backend: &dyn Backend, lease: &Lease) -> Result<bool, Fault> {
    // What is done at its first poll may be polled outside of any runtime, where there are no timers.
    let answer = if backend.capabilities().immediate {
        backend.release(lease).await
    } else {
        limited(CALL_LIMIT, persistently(backend, lease)).await
    };
    if let Err(fault) = &answer {
        tracing::warn!(key = %lease.key, error = %fault, "release failed; the lease ends by its ttl");
    }
    answer
}

/// Tries again for a moment where the store fails.
async fn persistently(backend: &dyn Backend, lease: &Lease) -> Result<bool, Fault> {
    const TRIES: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut tries, mut doubtful) = (1, false);
    loop {
        match backend.release(lease).await {
            Err(fault) if tries < TRIES => {
                doubtful |= fault.may_have_executed();
                tracing::debug!(key = %lease.key, error = %fault, tries, "release failed, trying again");
                tokio::time::sleep(PAUSE * tries).await;
                tries += 1;
            }
            // What is not there any more was given back by the try whose answer got lost.
            answer => return answer.map(|released| released || doubtful),
        }
    }
}
