//! The loop that asks a backend until it grants.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use super::{Caller, Taken, leased, timeout};
use crate::{
    backend::{Attempt, Backend, Fault, Request, Shortcut, Signal, Watch},
    background,
    clock::Moment,
    error::{Error, Result},
    guard::Guard,
    hold::Kept,
    lease::{Holder, Lease},
    lock::Options,
    locker::{CALL_LIMIT, limited},
    race::{Either, race},
    wait::{Pace, Patience, after_expiry, jitter},
};

/// How much longer than the time to wait the last attempt, begun in time, may take to be answered.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How often to look though announcements are watched for: they should not get lost, and if one does, this is the harm,
/// or a ttl if that is shorter.
const LOST_ANNOUNCEMENT: Duration = Duration::from_secs(5);

/// How often a lease is handed over inside the process at most, before other processes have their chance.
const HAND_OVERS: u32 = 16;

/// How often a first request whose answer was lost is asked again; it is idempotent by owner.
const FAULTS_FORGIVEN: u32 = 2;

/// How long to pause between tries at least: a server that is restarted needs longer than some look for a lock.
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);

/// How long to pause between tries at most, in quarters of the interval of retries.
const LONGEST_PAUSE: u32 = 8;

pub(super) type Asked = JoinHandle<(Result<Attempt, Fault>, Moment)>;

/// One request on its way through the backend. Dropped without a guard, it leaves nothing behind.
pub(super) struct Search {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) request: Request,
    /// Gone once it is a guard's.
    pub(super) turn: Option<Taken>,
    pub(super) options: Options,
    pub(super) deadline: Option<Instant>,
    pub(super) caller: Caller,
    /// An attempt whose answer is still to come.
    pub(super) asked: Option<Asked>,
    /// The same, polled by the caller.
    pub(super) here: Option<Shortcut<Attempt>>,
    /// An attempt whose answer will not come any more.
    pub(super) doubtful: bool,
    /// What has to be given back before anything is asked for.
    pub(super) giving_back: Option<JoinHandle<()>>,
    pub(super) waits: Waits,
    /// How often to look where nobody tells.
    pub(super) pace: Pace,
    pub(super) faults: u32,
    /// Since when a store that has answered before does not.
    pub(super) trouble_since: Option<Instant>,
    pub(super) holder: Option<Box<Holder>>,
    pub(super) free_in: Option<Duration>,
}

/// What was done to wait.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(super) struct Waits {
    /// The store has answered.
    pub(super) answered: bool,
    /// The backend was asked for announcements.
    pub(super) watched: bool,
    /// The backend may have put the request in line.
    pub(super) in_line: bool,
    /// It has just been refused, and put in line: no need to ask before the first wait.
    pub(super) looked: bool,
}

impl Search {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        request: Request,
        turn: Taken,
        options: &Options,
        deadline: Option<Instant>,
        caller: Caller,
    ) -> Self {
        Self {
            backend,
            request,
            turn: Some(turn),
            options: options.clone(),
            deadline,
            caller,
            asked: None,
            here: None,
            doubtful: false,
            giving_back: None,
            waits: Waits::default(),
            pace: Pace::new(options.retry),
            faults: 0,
            trouble_since: None,
            holder: None,
            free_in: None,
        }
    }

    /// Why there is no guard, for a call that does not wait.
    pub(super) fn refused(&mut self) -> Error {
        Error::Locked { key: self.request.key.clone(), holder: self.holder.take() }
    }

    /// A lease that this call has no use for is given back before it asks.
    pub(super) fn give_back_first(&mut self, unfit: Option<Kept>) -> Result<()> {
        self.giving_back = unfit.map(Kept::give_back).transpose()?;
        Ok(())
    }

    /// Attempts until one is granted or the time to wait has passed. Runs on the background thread.
    pub(super) async fn run(&mut self) -> Result<Guard> {
        let mut watch = None;
        if let Some(giving_back) = &mut self.giving_back {
            drop(giving_back.await);
            self.giving_back = None;
        }
        loop {
            if !mem::take(&mut self.waits.looked)
                && let Some(guard) = self.ask().await?
            {
                return Ok(guard);
            }
            if self.options.patience == Patience::None {
                return Err(self.refused());
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let holder = self.holder.take();
                return Err(self.turn.as_ref().map_or_else(
                    || Error::Lost { key: self.request.key.clone() },
                    |turn| timeout(&turn.target, &self.options, holder),
                ));
            }
            if !self.waits.watched {
                watch = self.watch().await?;
                // What was released before the watch began was not announced to it, unless we were in line.
                if watch.is_some() && !self.waits.in_line {
                    continue;
                }
            }
            if let Some(lease) = self.pause(&mut watch).await
                && let Some(guard) = self.claim(lease).await?
            {
                return Ok(guard);
            }
        }
    }

    /// One attempt, in a task of its own: once sent, it is followed to its end.
    async fn ask(&mut self) -> Result<Option<Guard>> {
        loop {
            let begun = Instant::now();
            let limit = self.call_limit();
            let (backend, mut request) = (Arc::clone(&self.backend), self.request.clone());
            // There is no other attempt after this one to let others go before.
            request.give_way &= !self.is_late();
            request.reserve = self.reserve();
            self.waits.in_line |= request.give_way && self.backend.capabilities().queues;
            let asked = self.asked.insert(background::spawn(async move {
                let sent = Moment::now();
                (limited(limit, backend.try_acquire(&request)).await, sent)
            })?);
            let answer = match self.deadline.filter(|_| self.options.patience != Patience::None) {
                None => Either::First(asked.await),
                Some(deadline) => {
                    let until = deadline.max(begun) + LAST_ANSWER;
                    race(asked, tokio::time::sleep_until(until.into())).await
                }
            };
            let Either::First(answer) = answer else {
                // Whether it is held, nobody can say who has heard nothing.
                return if self.waits.answered { Ok(None) } else { Err(self.unanswered()) };
            };
            self.asked = None;
            let fault = match answer {
                Ok((Ok(attempt), sent)) => return self.judge(attempt, sent),
                Ok((Err(fault), _)) => fault,
                Err(crashed) => Fault::failed(crashed).maybe_executed().permanent(),
            };
            let (quick, late) = (begun.elapsed() < limit / 2, self.is_late());
            let error = self.failed(fault);
            let forgiven = if self.waits.answered {
                // A store that worked comes back, or it is as good as gone.
                let since = *self.trouble_since.get_or_insert(begun);
                since.elapsed() < self.request.ttl.get().max(CALL_LIMIT)
            } else if quick {
                self.faults <= FAULTS_FORGIVEN
            } else {
                // No answer at all may be one that got lost: a bounded wait is for as long as it was said.
                matches!(self.options.patience, Patience::For(_))
            };
            if !error.is_retryable() || late || !forgiven {
                return Err(error);
            }
            let pause =
                (self.options.retry.jittered() / 4).max(SHORTEST_PAUSE) * self.faults.min(LONGEST_PAUSE);
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            tokio::time::sleep(left.map_or(pause, |left| left.min(pause))).await;
        }
    }

    /// A token for each who waits here for this turn to end: they are handed the lease without asking for it.
    pub(super) fn reserve(&self) -> u32 {
        let Some(turn) = &self.turn else { return 1 };
        let waiting = u32::try_from(turn.waiting()).unwrap_or(u32::MAX);
        1 + waiting.min(HAND_OVERS)
    }

    /// How long an attempt may take: afterwards, there is not enough left of what it may have been granted.
    pub(super) fn call_limit(&self) -> Duration {
        CALL_LIMIT.min(self.request.ttl.get() * 2 / 3)
    }

    /// How long a call may take beside the attempts, whose wait is one budget with theirs.
    pub(super) fn limit(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(CALL_LIMIT, |left| CALL_LIMIT.min(left + LAST_ANSWER))
    }

    /// Whether nobody can acquire under this owner once more, so that a late release does not meet the next hold.
    pub(super) const fn is_own_owner(&self) -> bool {
        self.options.owner.is_none()
    }

    pub(super) fn is_late(&self) -> bool {
        self.options.patience != Patience::None && self.deadline.is_some_and(|at| Instant::now() >= at)
    }

    pub(super) fn failed(&mut self, fault: Fault) -> Error {
        self.faults += 1;
        self.doubtful |= fault.may_have_executed();
        fault.into_error(&self.request.key, "acquire")
    }

    fn unanswered(&self) -> Error {
        Fault::failed("no answer within the time to wait").into_error(&self.request.key, "acquire")
    }

    pub(super) fn judge(&mut self, attempt: Attempt, sent: Moment) -> Result<Option<Guard>> {
        match attempt {
            Attempt::Granted(lease) => self.granted(lease, sent),
            Attempt::Held { holder, free_in } => {
                self.faults = 0;
                self.trouble_since = None;
                self.waits.answered = true;
                if self.holder.as_ref().map(|holder| &holder.owner)
                    != holder.as_ref().map(|holder| &holder.owner)
                {
                    self.pace.hurry();
                }
                self.holder = holder;
                self.free_in = free_in;
                Ok(None)
            }
        }
    }

    fn granted(&mut self, lease: Lease, sent: Moment) -> Result<Option<Guard>> {
        let deadline = lease.ttl.deadline(sent);
        let runs_out = !(self.options.renew && self.backend.capabilities().bound_to_process);
        if runs_out && deadline.has_passed() {
            // The answer took as long as the lease lasts: there is nothing left of it to hold. Asked again, by its owner.
            self.doubtful = true;
            self.free_in = Some(Duration::ZERO);
            // What it was told by went with the grant.
            self.waits.watched = false;
            return Ok(None);
        }
        let Some(turn) = self.turn.take() else { return Ok(None) };
        let target = Arc::clone(&turn.target);
        let granted = (lease, sent);
        let (hold, guard) =
            leased(&target, &self.options, &self.backend, granted, Some(turn.keep()), self.caller)?;
        if mem::take(&mut self.doubtful) && self.is_own_owner() {
            hold.is_doubtful();
        }
        Ok(Some(guard))
    }

    async fn watch(&mut self) -> Result<Option<Box<dyn Watch>>> {
        self.waits.watched = true;
        let watch = limited(self.limit(), async { self.backend.watch(&self.request).await }).await;
        watch.map_err(|fault| fault.into_error(&self.request.key, "wait for"))
    }

    /// Sleeps until it is worth asking again. Returns a lease that was granted meanwhile.
    async fn pause(&mut self, watch: &mut Option<Box<dyn Watch>>) -> Option<Lease> {
        let free = self.free_in.map(after_expiry);
        let pause = match watch {
            // Whoever waits for hours should not hang on a single announcement.
            Some(_) if !self.is_foreign() => {
                let at_most = LOST_ANNOUNCEMENT.min(self.request.ttl.get()).mul_f64(jitter());
                Some(free.unwrap_or(Duration::MAX).min(at_most))
            }
            // Nobody will tell: look often, and not later than the moment at which it will be free.
            _ => Some(free.unwrap_or(Duration::MAX).min(self.pace.pause())),
        };
        let until = [pause.and_then(|pause| Instant::now().checked_add(pause)), self.deadline];
        let asleep = async {
            match until.into_iter().flatten().min() {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        let Some(watching) = watch else {
            asleep.await;
            return None;
        };
        let announced = match race(watching.next(), asleep).await {
            Either::First(announced) => announced,
            Either::Second(()) => return None,
        };
        match announced {
            Some(Signal::Granted(lease)) => Some(lease),
            Some(Signal::LookAgain) => None,
            Some(Signal::FreeIn(within)) => {
                self.free_in = Some(within);
                Box::pin(self.pause(watch)).await
            }
            None => {
                *watch = None;
                None
            }
        }
    }

    /// The holder is not of this library: nobody will announce its release.
    fn is_foreign(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.fencing_token.is_none())
    }

    /// Confirms a lease that a release has handed to us; it is short until then.
    async fn claim(&mut self, lease: Lease) -> Result<Option<Guard>> {
        let sent = Moment::now();
        match limited(self.limit(), self.backend.renew(&lease, self.request.ttl)).await {
            Ok(true) => self.granted(lease, sent),
            Ok(false) => Ok(None),
            Err(fault) => Err(self.failed(fault.maybe_executed())),
        }
    }
}
