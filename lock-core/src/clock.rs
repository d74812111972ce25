//! Time as leases count it: a clock that goes on while the machine sleeps and that nobody sets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment on `CLOCK_BOOTTIME`, in nanoseconds.
///
/// A monotonic clock that stops during suspend would let a guard believe in a lease the server has long given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Later than every other moment: the deadline of what does not end by itself.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        Self(boottime_nanos())
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `by` later; [`Moment::NEVER`] where that is past counting.
    pub(crate) fn after(self, by: Duration) -> Self {
        Self(u64::try_from(by.as_nanos()).map_or(u64::MAX, |nanos| self.0.saturating_add(nanos)))
    }

    /// The moment `by` earlier, or the first there is; [`Moment::NEVER`] stays.
    pub(crate) fn before(self, by: Duration) -> Self {
        if self == Self::NEVER {
            return self;
        }
        Self(u64::try_from(by.as_nanos()).map_or(0, |nanos| self.0.saturating_sub(nanos)))
    }

    /// How long until this moment; zero once it has passed.
    pub(crate) fn until(self) -> Duration {
        self.since(Self::now())
    }

    /// How long this moment comes after `earlier`; zero if it does not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long ago this moment was; zero if it is still to come.
    pub(crate) fn until_now(self) -> Duration {
        Self::now().since(self)
    }

    pub(crate) fn has_passed(self) -> bool {
        self != Self::NEVER && Self::now() >= self
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boottime_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Elsewhere std's monotonic clock, which may stand still while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boottime_nanos() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
}

/// Microseconds since 1970: the floor of fencing tokens where a store can forget the last one.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_duration_never_passes() {
        assert_eq!(Moment::now().after(Duration::MAX), Moment::NEVER);
        assert!(!Moment::NEVER.has_passed());
    }

    #[test]
    fn time_goes_on() {
        let start = Moment::now();
        while Moment::now() <= start {}
        assert!(start.has_passed());
        assert_eq!(start.until(), Duration::ZERO);
    }
}
