//! What processes write of their holds, and what must be true of it.
//!
//! A line `A token pid at until` is written when a lock was had, `R token pid at until` when it is about to be given back;
//! moments are nanoseconds on `CLOCK_BOOTTIME`, and `until` is when the guard's deadline stands at that moment, which is
//! not later if it was lost. Whoever kills a process notes the moment before as `K pid at`. A hold therefore lasted at
//! least from its `A` to its `R` if it was not lost by then, and otherwise to the first of its `R`, its process's `K`,
//! and the end of its lease: two that overlap by this overlapped in truth.

use std::{collections::HashMap, fmt, fs, path::Path};

/// A time during which somebody believed to hold the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The fencing token.
    pub token: u64,
    /// The process.
    pub pid: u32,
    /// When it knew that it had the lock.
    pub from: u64,
    /// When it certainly still had it, and not necessarily longer.
    pub to: u64,
}

/// This moment on `CLOCK_BOOTTIME`, in nanoseconds.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

/// What is wrong with a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Two held it at once.
    Overlap(Hold, Hold),
    /// A later hold has no higher token.
    Order(Hold, Hold),
    /// A line that cannot be.
    Line(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap(first, second) => write!(f, "held twice: {first:?} and {second:?}"),
            Self::Order(first, second) => write!(f, "tokens do not increase: {first:?}, then {second:?}"),
            Self::Line(line) => write!(f, "not a line of a history: {line:?}"),
        }
    }
}

/// A history that was read.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In the order in which they began.
    pub holds: Vec<Hold>,
    /// Everything that is wrong.
    pub wrong: Vec<Wrong>,
}

impl History {
    /// Reads what processes wrote into a file.
    pub fn read(path: &Path) -> Self {
        Self::parse(&fs::read_to_string(path).unwrap_or_default())
    }

    /// Reads lines in any order of processes.
    pub fn parse(text: &str) -> Self {
        let mut history = Self::default();
        let mut open: HashMap<(u64, u32), usize> = HashMap::new();
        let mut killed: HashMap<u32, u64> = HashMap::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let numbers: Vec<u64> = fields[1..].iter().filter_map(|field| field.parse().ok()).collect();
            match (fields[0], &numbers[..]) {
                ("A", &[token, pid, from, until]) => {
                    let pid = u32::try_from(pid).unwrap_or_default();
                    // One process may be granted a token once only.
                    if open.insert((token, pid), history.holds.len()).is_some() {
                        history.wrong.push(Wrong::Line(line.to_owned()));
                    }
                    history.holds.push(Hold { token, pid, from, to: until });
                }
                ("R", &[token, pid, at, until]) => {
                    let pid = u32::try_from(pid).unwrap_or_default();
                    match open.get(&(token, pid)).map(|&place| &mut history.holds[place]) {
                        // Not lost by then, and what is lost is never had again: it was renewed all the time.
                        Some(hold) if until > at => hold.to = at,
                        Some(hold) => hold.to = hold.to.min(at),
                        None => history.wrong.push(Wrong::Line(line.to_owned())),
                    }
                }
                ("K", &[pid, at]) => {
                    killed.insert(u32::try_from(pid).unwrap_or_default(), at);
                }
                _ => history.wrong.push(Wrong::Line(line.to_owned())),
            }
        }
        for hold in &mut history.holds {
            if let Some(at) = killed.get(&hold.pid) {
                hold.to = hold.to.min(*at).max(hold.from);
            }
        }
        history.check();
        history
    }

    fn check(&mut self) {
        self.holds.sort_by_key(|hold| (hold.from, hold.token));
        let mut tokens = HashMap::new();
        let (mut longest, mut last): (Option<Hold>, Option<Hold>) = (None, None);
        for hold in &self.holds {
            if let Some(first) = tokens.insert(hold.token, *hold) {
                self.wrong.push(Wrong::Order(first, *hold));
            }
            // One that was over when it was noted may be noted late.
            if hold.to <= hold.from {
                continue;
            }
            if let Some(longer) = longest.filter(|longest| hold.from < longest.to) {
                self.wrong.push(Wrong::Overlap(longer, *hold));
            }
            if let Some(later) = last.filter(|last| hold.token < last.token) {
                self.wrong.push(Wrong::Order(later, *hold));
            }
            if longest.is_none_or(|longest| hold.to > longest.to) {
                longest = Some(*hold);
            }
            last = Some(*hold);
        }
    }

    /// How long after a moment somebody had the lock, in nanoseconds.
    pub fn next_after(&self, moment: u64) -> Option<u64> {
        self.holds.iter().map(|hold| hold.from).find(|from| *from >= moment).map(|from| from - moment)
    }

    /// How many pairs of holds overlap.
    pub fn double_holds(&self) -> usize {
        self.wrong.iter().filter(|wrong| matches!(wrong, Wrong::Overlap(..))).count()
    }

    /// Fails a test with all that is wrong.
    pub fn assert_right(&self) {
        let wrong: Vec<String> = self.wrong.iter().map(ToString::to_string).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<Wrong> {
        History::parse(text).wrong
    }

    #[test]
    fn a_good_history_is_good() {
        let text =
            "A 1 7 10 1000\nR 1 7 20 1000\nA 2 8 21 1000\nR 2 8 30 1000\nA 5 7 30 1000\nR 5 7 31 1000\n";
        assert_eq!(wrong(text), []);
        assert_eq!(History::parse(text).holds.len(), 3);
    }

    #[test]
    fn the_next_hold_after_a_moment_is_found() {
        let history = History::parse("A 1 7 10 40\nA 2 8 45 99");
        assert_eq!([5, 40, 46].map(|moment| history.next_after(moment)), [Some(5), Some(5), None]);
    }

    #[test]
    fn the_lines_of_processes_may_be_mixed() {
        assert_eq!(wrong("A 2 8 21 99\nA 1 7 10 99\nR 2 8 30 99\nR 1 7 20 99"), []);
    }

    #[test]
    fn holds_that_overlap_by_a_nanosecond_are_found() {
        let found = wrong("A 1 7 10 99\nR 1 7 20 99\nA 2 8 19 99\nR 2 8 30 99");
        assert!(matches!(found[..], [Wrong::Overlap(..)]), "{found:?}");
    }

    #[test]
    fn a_long_hold_around_several_short_ones_is_found() {
        let found = wrong("A 1 7 10 99\nR 1 7 50 99\nA 2 8 20 99\nR 2 8 21 99\nA 3 9 30 99\nR 3 9 31 99");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_hold_that_was_never_ended_lasts_until_its_lease_does() {
        let found = wrong("A 1 7 10 40\nA 2 8 39 99\nR 2 8 50 99");
        assert!(matches!(found[..], [Wrong::Overlap(..)]), "{found:?}");
        assert_eq!(wrong("A 1 7 10 40\nA 2 8 40 99\nR 2 8 50 99"), []);
    }

    #[test]
    fn a_killed_holder_holds_until_it_is_killed() {
        assert_eq!(wrong("A 1 7 10 99\nK 7 15\nA 2 8 16 99\nR 2 8 50 99"), []);
        let found = wrong("A 1 7 10 99\nK 7 15\nA 2 8 14 99\nR 2 8 50 99");
        assert!(matches!(found[..], [Wrong::Overlap(..)]), "{found:?}");
    }

    #[test]
    fn a_hold_that_was_renewed_lasts_until_it_is_given_back() {
        let found = wrong("A 1 7 10 40\nR 1 7 80 99\nA 2 8 60 99\nR 2 8 90 99");
        assert!(matches!(found[..], [Wrong::Overlap(..)]), "{found:?}");
    }

    #[test]
    fn a_hold_that_was_lost_lasted_until_its_lease_did() {
        assert_eq!(wrong("A 1 7 10 40\nR 1 7 80 80\nA 2 8 60 99\nR 2 8 90 99"), []);
        let found = wrong("A 1 7 10 70\nR 1 7 80 80\nA 2 8 60 99\nR 2 8 90 99");
        assert!(matches!(found[..], [Wrong::Overlap(..)]), "{found:?}");
    }

    #[test]
    fn a_hold_that_was_over_before_it_was_noted_may_be_noted_after_its_successor() {
        assert_eq!(wrong("A 2 8 60 99\nR 2 8 70 99\nA 1 7 80 80\nA 3 8 90 99"), []);
        let found = wrong("A 2 8 60 99\nR 2 8 70 99\nA 2 7 80 80");
        assert!(matches!(found[..], [Wrong::Order(..)]), "its token is somebody else's: {found:?}");
    }

    #[test]
    fn tokens_that_repeat_or_go_back_are_found() {
        for second in [1, 2] {
            let text = format!("A 2 7 10 99\nR 2 7 20 99\nA {second} 8 30 99\nR {second} 8 40 99");
            let found = wrong(&text);
            assert!(matches!(found[..], [Wrong::Order(..)]), "{found:?}");
        }
    }

    #[test]
    fn a_process_that_is_granted_a_token_twice_is_found() {
        assert!(!wrong("A 2 7 10 99\nR 2 7 20 99\nA 2 7 30 99\nR 2 7 40 99").is_empty());
    }

    #[test]
    fn what_is_no_history_is_found() {
        for text in ["B 1 2 3 4", "A 1 2 3", "R 1 7 20 99", "A x 7 10 99", " "] {
            assert!(matches!(wrong(text)[..], [Wrong::Line(_)]), "{text:?}");
        }
    }
}
