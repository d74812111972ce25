//! The time by which rows are written: that of the machine since its start, which start it was, and the time of day.

use std::fs;

use crate::{
    clock::{Moment, unix_micros},
    error::{Error, Result},
};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

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

/// Microseconds since the machine was started, suspended times included.
pub(super) fn now() -> i64 {
    i64::try_from(Moment::now().as_nanos() / 1000).unwrap_or(i64::MAX / 2)
}

/// Microseconds since 1970, whatever the clock has been set to.
pub(super) fn wall() -> i64 {
    i64::try_from(unix_micros().clamp(1, LATEST)).unwrap_or(1)
}
