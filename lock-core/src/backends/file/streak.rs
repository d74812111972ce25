//! Fairness between processes that take a lock again and again.
//!
//! The process that has just released a lock is awake and has its file open; one that waits has to be woken first.
//! Without more, two threads that hand a lock to each other leave a third, in another process, a turn in seventy.
//! So a process that finds the lock awaited takes it a bounded number of times in a row, then lets others go first.

use std::time::Duration;

use crate::{clock::Moment, lease::FencingToken};

/// How often in a row, and for how long, a process takes a lock that others wait for.
const LONGEST: (u32, Duration) = (16, Duration::from_millis(20));

/// How long others have to come. Waking takes a tenth of it; a mark left by a waiter that has died costs all of it.
const COURTESY: Duration = Duration::from_millis(2);

/// How a process has used a lock lately.
#[derive(Debug)]
pub(super) struct Streak {
    grants: u32,
    since: Moment,
    /// The token at which it let others go first, and until when.
    gave_way: Option<(FencingToken, Moment)>,
}

impl Default for Streak {
    fn default() -> Self {
        Self { grants: 0, since: Moment::NEVER, gave_way: None }
    }
}

impl Streak {
    /// For how long to leave an awaited lock to others that is free, and was last granted under `token`.
    pub(super) fn gives_way(&mut self, waited: bool, token: FencingToken) -> Option<Duration> {
        if waited || self.grants < LONGEST.0 && self.since.until_now() < LONGEST.1 {
            return None;
        }
        self.gave_way = Some((token, Moment::now().after(COURTESY)));
        Some(COURTESY)
    }

    /// Since which token others go first, and for how much longer; `None` if they do not.
    pub(super) fn courtesy(&self) -> Option<(FencingToken, Duration)> {
        let (token, until) = self.gave_way?;
        (!until.has_passed()).then(|| (token, until.until()))
    }

    /// Somebody else has come.
    pub(super) const fn end_courtesy(&mut self) {
        self.gave_way = None;
    }

    /// Counts a grant; one that was waited for begins anew. Returns whether it was the first.
    pub(super) fn granted(&mut self, waited: bool) -> bool {
        if waited || self.grants == 0 {
            *self = Self { grants: 1, since: Moment::now(), gave_way: None };
            return true;
        }
        self.grants += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_number_of_grants_others_go_first() {
        let mut streak = Streak::default();
        let mut taken = 0;
        while streak.gives_way(false, taken).is_none() {
            streak.granted(false);
            taken += 1;
        }
        assert!((1..=u64::from(LONGEST.0)).contains(&taken), "{taken}");
        assert_eq!(streak.courtesy().map(|(token, _)| token), Some(taken));
        assert!(streak.granted(true), "a new streak");
        assert_eq!(streak.courtesy(), None);
    }

    #[test]
    fn one_that_waited_does_not_give_way() {
        let mut streak = Streak::default();
        for token in 0..100 {
            streak.granted(false);
            assert_eq!(streak.gives_way(true, token), None);
        }
    }
}
