//! The time by which rows are written: that of the machine since its start, which start it was, and the time of day.

use std::{fs, sync::OnceLock};

use crate::{
    clock::{Moment, unix_micros},
    error::{Error, Result},
};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const OFFSETS: &str = "/proc/self/timens_offsets";

/// Fencing tokens stay below 2^53 with this and all that are counted up from it; it is in the year 2112.
const LATEST: u64 = 1 << 52;

/// What tells this start of the machine from all others.
///
/// # Errors
/// [`Error::Unsupported`] where the system does not say.
pub(super) fn boot() -> Result<String> {
    let id = fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned());
    id.ok().filter(|id| !id.is_empty()).ok_or_else(|| {
        Error::unsupported(format!(
            "sqlite:// needs a Linux that shows which start of the machine this is in {BOOT_ID}; file:// needs none"
        ))
    })
}

/// Microseconds since the machine was started, suspended times included, the same for all processes of the machine.
pub(super) fn now() -> i64 {
    static AHEAD: OnceLock<i64> = OnceLock::new();
    let ahead = AHEAD.get_or_init(|| ahead(&fs::read_to_string(OFFSETS).unwrap_or_default()));
    i64::try_from(Moment::now().as_nanos() / 1000).map_or(i64::MAX / 2, |micros| micros - ahead)
}

/// By how much the clock of this process is ahead of the machine's: where it is in a time namespace of its own, a
/// container may be. See `time_namespaces(7)`.
fn ahead(offsets: &str) -> i64 {
    let boottime = offsets.lines().find_map(|line| line.strip_prefix("boottime"));
    let mut parts = boottime.unwrap_or_default().split_whitespace().map(|part| part.parse().unwrap_or(0));
    let (seconds, nanos): (i64, i64) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// Microseconds since 1970, whatever the clock has been set to.
pub(super) fn wall() -> i64 {
    i64::try_from(unix_micros().clamp(1, LATEST)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::ahead;

    #[test]
    fn the_clock_of_a_time_namespace_is_ahead_or_behind_by_what_the_kernel_says() {
        assert_eq!(ahead(""), 0);
        assert_eq!(ahead("monotonic           0         0\nboottime            0         0\n"), 0);
        assert_eq!(ahead("monotonic     5 0\nboottime 1000000 500000000\n"), 1_000_000_500_000);
        assert_eq!(ahead("boottime -7 1000"), -6_999_999);
    }
}
