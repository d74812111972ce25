//! How long an item is to live, as the server takes it: in seconds, and above 30 days as a date by its clock.

use std::time::Duration;

use super::link::Lent;
use crate::backend::Fault;

/// The longest that the server takes as a duration; more is a date, in 1970.
const LONGEST: u64 = 30 * 24 * 60 * 60;

/// Whole seconds in which an item does not die before `ttl` has passed: the server counts in ticks of a second, so that
/// one of T seconds lives from T - 1 to T; and as a tick is a little longer than a second (1.022 s on a busy machine), it
/// leaves one out now and then, and is behind by up to two before that.
pub(super) const fn seconds(ttl: Duration) -> u64 {
    ttl.as_secs() + if ttl.subsec_nanos() == 0 { 2 } else { 3 }
}

/// The same, as it is sent.
pub(super) async fn sent(lent: &mut Lent, seconds: u64) -> Result<u64, Fault> {
    if seconds <= LONGEST {
        return Ok(seconds);
    }
    // It may be in the next one already.
    Ok(lent.second().await? + 1 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_outlives_its_ttl_by_the_least() {
        for (ms, expected) in [(1000, 3), (1001, 4), (1999, 4), (2000, 4), (30_000, 32)] {
            assert_eq!(seconds(Duration::from_millis(ms)), expected, "{ms}");
        }
    }
}
