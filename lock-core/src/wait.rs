//! How long to wait for a lock, and when to look again.

use std::time::{Duration, Instant};

use crate::error::Error;

/// Whether a call waits, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One attempt.
    None,
    /// All attempts, queues and hand-overs together.
    For(Duration),
    #[default]
    Endless,
}

impl Patience {
    /// When it ends, for a call that begins now.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::None => Some(Instant::now()),
            // A duration past the clock's end is as good as endless.
            Self::For(limit) => Instant::now().checked_add(limit),
            Self::Endless => None,
        }
    }
}

/// How often to look where nothing announces a release: 1 ms to 1 hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry(Duration);

impl Retry {
    pub(crate) const DEFAULT: Self = Self(Duration::from_millis(100));

    pub(crate) fn new(interval: Duration) -> Result<Self, Error> {
        if (Duration::from_millis(1)..=Duration::from_hours(1)).contains(&interval) {
            Ok(Self(interval))
        } else {
            Err(Error::config(format!("retry {interval:?} is out of range: accepted are 1ms to 1 hour")))
        }
    }

    /// A quarter less to a quarter more, so that waiters do not come back in step.
    pub(crate) fn jittered(self) -> Duration {
        self.0.mul_f64(jitter())
    }
}

/// When to look again where nothing announces a release: soon at first, then less and less often, down to every `retry`.
///
/// A lock that goes from hand to hand is looked at soon again by everybody, also by who has waited for long: else the
/// latest to come would look most often, and have it before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    retry: Retry,
    next: Duration,
}

impl Pace {
    /// How much sooner than every `retry` the first looks are.
    const SOONER: u32 = 16;
    /// However short `retry` is, a store is not asked without a pause.
    const SHORTEST: Duration = Duration::from_millis(1);

    pub(crate) fn new(retry: Retry) -> Self {
        let mut pace = Self { retry, next: Duration::ZERO };
        pace.hurry();
        pace
    }

    /// The lock has changed hands since it was last looked at.
    pub(crate) fn hurry(&mut self) {
        self.next = (self.retry.0 / Self::SOONER).max(Self::SHORTEST);
    }

    /// How long to pause this time, a quarter less to a quarter more, so that waiters do not come back in step.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.retry.0);
        pause.mul_f64(jitter())
    }
}

/// A quarter less to a quarter more than one.
pub(crate) fn jitter() -> f64 {
    0.75 + 0.5 * fraction()
}

/// A little after the moment at which a lease ends, not all waiters at once.
pub(crate) fn after_expiry(free_in: Duration) -> Duration {
    free_in.saturating_add(Duration::from_millis(1) + Duration::from_millis(4).mul_f64(fraction()))
}

/// A random number from 0 to 1; a half where there is no randomness to be had, as it is only for spreading.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_quarter() {
        for _ in 0..1000 {
            let pause = Retry::DEFAULT.jittered();
            assert!((Duration::from_millis(75)..=Duration::from_millis(125)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn looks_begin_soon_and_grow_to_the_interval_unless_the_lock_moves() {
        let about = |pause: Duration, ms: u64| {
            let (low, high) =
                (Duration::from_millis(ms).mul_f64(0.75), Duration::from_millis(ms).mul_f64(1.25));
            assert!((low..=high).contains(&pause), "{pause:?} is not about {ms} ms");
        };
        let mut pace = Pace::new(Retry::new(Duration::from_millis(1600)).unwrap());
        for ms in [100, 200, 400, 800, 1600, 1600] {
            about(pace.pause(), ms);
        }
        pace.hurry();
        for ms in [100, 200] {
            about(pace.pause(), ms);
        }
    }

    #[test]
    fn no_store_is_asked_without_a_pause() {
        let mut pace = Pace::new(Retry::new(Duration::from_millis(1)).unwrap());
        for _ in 0..10 {
            assert!(pace.pause() >= Duration::from_micros(750));
        }
    }

    #[test]
    fn an_interval_out_of_range_is_refused() {
        assert!(Retry::new(Duration::ZERO).is_err());
        assert!(Retry::new(Duration::MAX).is_err());
        assert!(Retry::new(Duration::from_millis(1)).is_ok());
    }

    #[test]
    fn a_wait_past_the_end_of_the_clock_is_endless() {
        assert_eq!(Patience::For(Duration::MAX).deadline(), None);
    }
}
