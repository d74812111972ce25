//! The server's clock, which may stand still.
//!
//! Memcached reads its clock once a second, in a thread of its own, and counts the life of an item from there. A server
//! that was stopped for a while, or its machine, answers its requests before it looks at the clock again: what is made
//! then for two seconds is gone as soon as it does (25 of 32 items after a stop of 4 s, with 1.6.18), though its maker
//! believes in it. So an item that lives until a date tells the time, in the same exchange as every grant and every
//! renewal and **before** it; a clock that is behind what it must be by now makes the whole exchange count for nothing.
//!
//! What must it be? A server's second is over a second after it began, at most, so that from any reading on, it is at
//! least as late as that reading and the time since. The best of all readings counts. The first one of a process has
//! nothing to be held against; a server that is stopped just then is not noticed.
//!
//! On a busy machine the server looks later and later, until its clock leaves a second out to be right again. So a clock
//! that is a little behind is allowed for: what is to live gets that much more.

use crate::{
    clock::Moment,
    sync::{self, Mutex},
};

/// A second, in nanoseconds.
const SECOND: i128 = 1_000_000_000;
/// One part in so many is what two clocks may drift apart, the server's look at its own included: that comes up to a
/// millisecond later each second.
const DRIFT: i128 = 500;
/// How many seconds a clock may be behind. More is a server that was stopped, and what is added to a lease keeps others
/// waiting.
const ALLOWED: i128 = 2;
/// How often a clock that is behind has to be seen to move before it is taken for one that was set back: that of a
/// machine that slept, for example.
const MOVES: u32 = 2;

/// What is known of the clock of a server.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    /// The item that told it: another one is of another start of the server.
    item: Vec<u8>,
    /// The server's time in nanoseconds less ours, at least, as of a moment.
    ahead: i128,
    as_of: Moment,
    /// The last reading that was behind, and how often that has moved.
    behind: Option<(u64, u32)>,
}

/// What a reading says about the exchange that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// So many seconds behind: what is to live has to live so much longer.
    Behind(u64),
    StoodStill,
}

impl Clock {
    /// Takes a reading: the item, the second that it told, and when it was asked and answered.
    pub(super) fn read(&self, item: &[u8], second: u64, sent: Moment, received: Moment) -> Reading {
        let told = i128::from(second) * SECOND;
        let fresh =
            || Known { item: item.into(), ahead: told - nanos(received), as_of: received, behind: None };
        let mut known = sync::lock(&self.0);
        let Some(now) = known.as_mut().filter(|known| known.item == item) else {
            *known = Some(fresh());
            return Reading::Behind(0);
        };
        let at_least = now.ahead_at(sent) + nanos(sent) - SECOND;
        if told >= at_least {
            let ahead = told - nanos(received);
            if ahead >= now.ahead_at(received) {
                (now.ahead, now.as_of) = (ahead, received);
            }
            now.behind = None;
            return Reading::Behind(0);
        }
        let behind = (at_least - told + SECOND - 1) / SECOND;
        if behind <= ALLOWED {
            now.behind = None;
            return Reading::Behind(u64::try_from(behind).unwrap_or(0));
        }
        let moves = match now.behind {
            None => 0,
            Some((last, moves)) => moves + u32::from(second > last),
        };
        now.behind = Some((second, moves));
        if moves < MOVES {
            return Reading::StoodStill;
        }
        *known = Some(fresh());
        Reading::Behind(0)
    }

    /// The second that the server is in now, or the one before; `None` before the first reading.
    pub(super) fn second(&self) -> Option<u64> {
        let now = Moment::now();
        let known = sync::lock(&self.0);
        let ahead = known.as_ref()?.ahead_at(now);
        u64::try_from((ahead + nanos(now)).div_euclid(SECOND)).ok()
    }
}

impl Known {
    /// What `ahead` still says at a moment, of two clocks that drift.
    fn ahead_at(&self, moment: Moment) -> i128 {
        self.ahead - (nanos(moment) - nanos(self.as_of)).max(0) / DRIFT
    }
}

fn nanos(moment: Moment) -> i128 {
    i128::from(moment.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &[u8] = b"item";
    const RIGHT: Reading = Reading::Behind(0);

    /// Reads at so many milliseconds of our clock.
    fn read(clock: &Clock, item: &[u8], second: u64, at: u64) -> Reading {
        let moment = |ms: u64| Moment::from_nanos(ms * 1_000_000);
        clock.read(item, second, moment(at), moment(at + 1))
    }

    #[test]
    fn a_clock_that_ticks_is_right_at_every_phase() {
        let clock = Clock::default();
        // The server's second 1000 begins at our 300 ms.
        for at in (0..20_000).step_by(37) {
            assert_eq!(read(&clock, ITEM, 999 + (at + 700) / 1000, at), RIGHT, "{at}");
        }
    }

    #[test]
    fn a_clock_that_stood_still_is_found_out_until_it_moves_on() {
        let clock = Clock::default();
        assert_eq!(read(&clock, ITEM, 1000, 0), RIGHT);
        assert_eq!(read(&clock, ITEM, 1000, 999), RIGHT);
        for (at, reading) in [
            (1100, Reading::Behind(1)),
            (2000, Reading::Behind(1)),
            (2100, Reading::Behind(2)),
            (3100, Reading::StoodStill),
            (4000, Reading::StoodStill),
        ] {
            assert_eq!(read(&clock, ITEM, 1000, at), reading, "{at}");
        }
        assert_eq!(read(&clock, ITEM, 1004, 4001), RIGHT);
    }

    #[test]
    fn the_best_reading_counts() {
        let clock = Clock::default();
        // At the end of a second, this says little.
        assert_eq!(read(&clock, ITEM, 1000, 900), RIGHT);
        assert_eq!(read(&clock, ITEM, 1001, 1000), RIGHT);
        assert_eq!(read(&clock, ITEM, 1005, 5950), RIGHT);
        assert_eq!(read(&clock, ITEM, 1005, 6100), Reading::Behind(1));
    }

    #[test]
    fn a_clock_that_goes_on_from_an_earlier_time_is_believed_after_a_while() {
        let clock = Clock::default();
        assert_eq!(read(&clock, ITEM, 1000, 0), RIGHT);
        assert_eq!(read(&clock, ITEM, 1001, 100_000), Reading::StoodStill);
        assert_eq!(read(&clock, ITEM, 1002, 101_000), Reading::StoodStill);
        assert_eq!(read(&clock, ITEM, 1003, 102_000), RIGHT);
        assert_eq!(read(&clock, ITEM, 1004, 103_000), RIGHT);
    }

    #[test]
    fn another_start_of_the_server_has_another_clock() {
        let clock = Clock::default();
        assert_eq!(read(&clock, ITEM, 1000, 0), RIGHT);
        assert_eq!(read(&clock, b"another", 500, 100), RIGHT);
        assert_eq!(read(&clock, b"another", 500, 3000), Reading::Behind(2));
    }

    #[test]
    fn a_busy_server_that_looks_later_and_later_and_leaves_a_second_out_is_allowed_for() {
        let clock = Clock::default();
        // It looks at its clock every 1022 ms.
        for at in (0..500_000_u64).step_by(7) {
            let second = 1000 + at / 1022 * 1022 / 1000;
            let late = at.saturating_sub((second - 1000) * 1000);
            let Reading::Behind(more) = read(&clock, ITEM, second, at) else {
                panic!("{at}: it stood still")
            };
            // An item of two seconds is there for one at least.
            assert!(late <= 1000 + more * 1000 + 2 * at / 1000 + 1, "{at}: {more} more for {late} ms");
        }
    }

    #[test]
    fn clocks_may_drift_apart_and_a_second_be_left_out() {
        let clock = Clock::default();
        // It looks at its clock every 1001 ms.
        for at in (0..5_000_000).step_by(731) {
            let looked = at / 1001 * 1001;
            assert_eq!(read(&clock, ITEM, 1000 + looked / 1000, at), RIGHT, "{at}");
        }
    }
}
