//! How long an item is to live, as the server takes it: in seconds, and above 30 days as a date by its clock.

use std::time::Duration;

use super::{link::Lent, names, wire::Command};
use crate::{backend::Fault, clock};

/// The longest that the server takes as a duration; more is a date, in 1970.
const LONGEST: u64 = 30 * 24 * 60 * 60;
/// How much further than any lease a date is to lie, for the clocks of two machines to differ.
const FAR: u64 = 2 * 365 * 24 * 60 * 60;

/// Whole seconds in which an item does not die before `ttl` has passed: the server counts in ticks of a second, so that
/// one of T seconds lives from T - 1 to T.
pub(super) const fn seconds(ttl: Duration) -> u64 {
    ttl.as_secs() + if ttl.subsec_nanos() == 0 { 1 } else { 2 }
}

/// The same, as it is sent.
pub(super) async fn sent(lent: &mut Lent, seconds: u64) -> Result<u64, Fault> {
    if seconds <= LONGEST { Ok(seconds) } else { Ok(now(lent).await? + seconds) }
}

/// The server's clock, in seconds since 1970.
///
/// It does not tell it by a meta command, but of an item that lives until a date, it tells how many seconds it lives yet.
async fn now(lent: &mut Lent) -> Result<u64, Fault> {
    let date = clock::unix_micros() / 1_000_000 + FAR;
    let [_, clock] = lent
        .exchange([Command::write(names::CLOCK, String::from("clock"), date), Command::look(names::CLOCK)])
        .await?;
    let left = clock.left.and_then(|left| u64::try_from(left).ok());
    let now = left.and_then(|left| date.checked_sub(left));
    now.ok_or_else(|| Fault::failed("the server's clock is years away from that of this machine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_outlives_its_ttl_by_the_least() {
        for (ms, expected) in [(1000, 2), (1001, 3), (1999, 3), (2000, 3), (30_000, 31)] {
            assert_eq!(seconds(Duration::from_millis(ms)), expected, "{ms}");
        }
    }
}
