//! How long to try while somebody else writes: only one may at a time, and SQLite's own waiting starves those who wait.

use std::time::{Duration, Instant};

use crate::{background, wait};

/// For how long a locked file is taken for a held key; then it is an error.
pub(super) const LOCKED: Duration = Duration::from_secs(5);

/// How often a statement is tried again at once: most writes are over in less time than it takes to go to sleep.
const AT_ONCE: u32 = 5;

/// The pause before the next try then, at first and at most.
const PAUSE: Duration = Duration::from_millis(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// What is left of the time for which a file may be locked.
pub(super) struct Patience {
    begin: Instant,
    limit: Duration,
    tries: u32,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { begin: Instant::now(), limit, tries: 0, pause: PAUSE }
    }

    /// Waits for a moment, if there is time for another try.
    ///
    /// The pauses stay short and differ by chance, so that nobody who waits long has worse prospects than who has come.
    pub(super) async fn goes_on(&mut self) -> bool {
        if self.begin.elapsed() > self.limit {
            return false;
        }
        self.tries += 1;
        if self.tries <= AT_ONCE {
            return true;
        }
        pause(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// About that long, on any executor.
pub(super) async fn pause(about: Duration) {
    if let Ok(schedule) = background::schedule() {
        schedule.alarm(about.mul_f64(wait::jitter())).await;
    }
}

/// Whether the file has been found locked each time, and since when.
#[derive(Debug, Default)]
pub(super) struct Locked(Option<(Instant, Instant)>);

impl Locked {
    pub(super) fn is_still(&mut self) {
        let now = Instant::now();
        let since = now.checked_sub(self.how_long()).unwrap_or(now);
        self.0 = Some((since, now));
    }

    /// Nothing is known any more if nobody has looked for a while.
    pub(super) fn how_long(&self) -> Duration {
        let known = self.0.filter(|(_, seen)| seen.elapsed() < LOCKED * 2);
        known.map_or(Duration::ZERO, |(since, _)| since.elapsed())
    }
}
