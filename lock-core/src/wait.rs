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
