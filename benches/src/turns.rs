//! What happened to a lock that many wanted: who had it when, and what follows from that.

use std::{fmt, str::FromStr, time::Duration};

use crate::{
    Result,
    crew::Team,
    rounds::{self, median, number},
};

/// One turn of a worker, on the clock of all processes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Whose.
    pub worker: usize,
    /// When he wanted it.
    pub asked: u64,
    /// When he had it.
    pub had: u64,
    /// When his section was over.
    pub released: u64,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.worker, self.asked, self.had, self.released)
    }
}

impl FromStr for Turn {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: std::result::Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let [worker, asked, had, released] = numbers?[..] else {
            return Err(format!("not a turn: {line:?}").into());
        };
        Ok(Self { worker: usize::try_from(worker)?, asked, had, released })
    }
}

/// A round of turns.
#[derive(Debug)]
pub struct Tally {
    /// How many turns began before the end.
    pub sections: usize,
    /// From the end of a section to the beginning of the next, on the average.
    pub between: f64,
    /// The same where it was another worker's turn, the middle one.
    pub new_owner: f64,
    /// The same where it was another process's turn.
    pub new_process: f64,
    /// How many turns each worker had.
    pub turns: Vec<u32>,
    /// The longest wait, by how long it takes until everybody had one turn.
    pub worst_wait: f64,
    /// How many began before the one before was over.
    pub overlaps: usize,
}

impl Tally {
    /// Of workers who began at one moment and ended at another. Turns later than that only end a wait.
    pub fn new(mut all: Vec<Turn>, team: &Team, begin: u64, end: u64) -> Result<Self> {
        all.sort_by_key(|turn| turn.had);
        let longest = all.iter().map(|turn| turn.had.min(end).saturating_sub(turn.asked)).max();
        let overlaps = all.windows(2).filter(|pair| pair[1].had < pair[0].released).count();
        all.retain(|turn| turn.had < end);
        let last = all.last().ok_or("nobody ever had the lock")?;
        let gap = |pair: &[Turn]| nanos(pair[1].had.saturating_sub(pair[0].released));
        let gaps: Vec<_> = all.windows(2).map(gap).collect();
        let changes = |of: &dyn Fn(&Turn) -> usize| {
            median(all.windows(2).filter(|pair| of(&pair[0]) != of(&pair[1])).map(gap).collect())
        };
        let workers = team.processes * team.tasks;
        let mut turns = vec![0; workers];
        all.iter().for_each(|turn| turns[turn.worker] += 1);
        let span = nanos(last.released.max(end) - begin);
        let fair = span / number(all.len()) * number(workers);
        Ok(Self {
            sections: all.len(),
            between: gaps.iter().sum::<f64>() / number(gaps.len()),
            new_owner: changes(&|turn| turn.worker),
            new_process: changes(&|turn| turn.worker / team.tasks),
            turns,
            worst_wait: nanos(longest.unwrap_or_default()) / fair,
            overlaps,
        })
    }
}

fn nanos(nanos: u64) -> f64 {
    rounds::nanos(Duration::from_nanos(nanos))
}
