//! The protocol as a model: every order in which the steps of a few processes can come.

use std::collections::HashSet;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Asleep,
    Try,
    SeeMark,
    Mark,
    TryAgain,
    Read,
    Write { carried: bool },
    Announce,
    LookEarly,
    Unlock { rings: bool },
    Look,
    Ring,
    Done,
}

/// A process; one that waits goes on until it had the lock, another one tries so many times.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    step: Step,
    waits: bool,
    times: u8,
    /// An announcement that it has not heard yet.
    told: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    processes: Vec<Process>,
    holder: Option<usize>,
    marked: bool,
}

/// What could have been built instead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Built {
    AsItIs,
    NoSecondTry,
    LooksBeforeUnlocking,
    SilentRecords,
}

impl World {
    fn tell_all(&mut self) {
        self.processes.iter_mut().filter(|process| process.waits).for_each(|process| process.told = true);
    }

    /// What may be after process `who` has made its next step; nothing if it has none.
    fn after(&self, who: usize, built: Built) -> Vec<Self> {
        let mut next = self.clone();
        let Process { step, waits, times, told } = self.processes[who];
        let got = |world: &mut Self, or: Step| match world.holder {
            None => {
                world.holder = Some(who);
                Step::Read
            }
            Some(_) => or,
        };
        let step = match step {
            Step::Done => return Vec::new(),
            Step::Asleep if !told => return Vec::new(),
            Step::Asleep => {
                next.processes[who].told = false;
                Step::Try
            }
            Step::Try if waits => got(&mut next, Step::SeeMark),
            Step::Try => got(&mut next, Step::Done),
            Step::SeeMark if !self.marked => Step::Mark,
            Step::SeeMark if built == Built::NoSecondTry => Step::Asleep,
            Step::SeeMark => Step::TryAgain,
            Step::Mark => {
                // This is announced as well, which must not be needed.
                next.marked = true;
                if built == Built::NoSecondTry { Step::Asleep } else { Step::TryAgain }
            }
            Step::TryAgain => got(&mut next, Step::Asleep),
            Step::Read => Step::Write { carried: self.marked },
            Step::Write { carried } => {
                next.processes[who].step = Step::Announce;
                // The first of a streak clears the mark, the others carry on what they read.
                return [false, carried && !waits]
                    .into_iter()
                    .map(|marked| Self { marked, ..next.clone() })
                    .collect();
            }
            Step::Announce => {
                if built != Built::SilentRecords {
                    next.tell_all();
                }
                if built == Built::LooksBeforeUnlocking {
                    Step::LookEarly
                } else {
                    Step::Unlock { rings: false }
                }
            }
            Step::LookEarly => Step::Unlock { rings: self.marked },
            Step::Unlock { rings } => {
                next.holder = None;
                match built {
                    Built::LooksBeforeUnlocking if rings => Step::Ring,
                    Built::LooksBeforeUnlocking => Step::Done,
                    _ => Step::Look,
                }
            }
            Step::Look if self.marked => Step::Ring,
            Step::Look => Step::Done,
            Step::Ring => {
                next.tell_all();
                Step::Done
            }
        };
        let process = &mut next.processes[who];
        process.step = step;
        if step == Step::Done && times > 1 {
            (process.step, process.times) = (Step::Try, times - 1);
        }
        vec![next]
    }

    fn is_stuck(&self) -> bool {
        self.processes.iter().any(|process| process.step != Step::Done)
    }
}

/// In how many states nobody can do anything though not everybody is done, and of how many.
fn stuck(built: Built) -> (usize, usize) {
    let process = |waits, times| Process { step: Step::Try, waits, times, told: false };
    let processes = vec![process(true, 1), process(true, 1), process(false, 2), process(false, 2)];
    let mut open = vec![World { processes, holder: None, marked: false }];
    let (mut seen, mut stuck) = (HashSet::new(), 0);
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        let next: Vec<_> = (0..world.processes.len()).flat_map(|who| world.after(who, built)).collect();
        stuck += usize::from(next.is_empty() && world.is_stuck());
        open.extend(next);
    }
    (stuck, seen.len())
}

#[test]
fn no_waiter_sleeps_on_a_free_lock() {
    let (stuck, states) = stuck(Built::AsItIs);
    assert_eq!(stuck, 0);
    assert!(states > 10_000, "{states}");
}

#[test]
fn the_model_sees_a_waiter_that_is_forgotten() {
    for wrong in [Built::NoSecondTry, Built::LooksBeforeUnlocking, Built::SilentRecords] {
        assert_ne!(stuck(wrong).0, 0);
    }
}
