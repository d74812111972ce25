//! Interleaved rounds: on a machine with other work, only what was measured side by side can be compared.

use std::time::{Duration, Instant};

use crate::Result;

/// One who takes part: does its work for one round, and says how many nanoseconds a unit of it took.
pub type Run<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// What was measured, by participant and round.
#[derive(Debug)]
pub struct Samples(Vec<Vec<f64>>);

/// Lets everybody have a turn in every round, after one round to warm up.
///
/// # Errors
/// The first error of a participant.
pub fn interleaved(rounds: usize, runs: &mut [Run<'_>]) -> Result<Samples> {
    let mut samples = vec![Vec::with_capacity(rounds); runs.len()];
    for run in &mut *runs {
        run()?;
    }
    for round in 0..rounds {
        for place in 0..runs.len() {
            // Whoever comes first finds the caches as another one left them: not always the same.
            let who = (place + round) % runs.len();
            samples[who].push(runs[who]()?);
        }
    }
    Ok(Samples(samples))
}

/// How many nanoseconds one of `count` repetitions of `work` takes.
///
/// # Errors
/// The first error of `work`.
pub fn each(count: u32, mut work: impl FnMut() -> Result) -> Result<f64> {
    let begun = Instant::now();
    for _ in 0..count {
        work()?;
    }
    Ok(nanos(begun.elapsed()) / f64::from(count))
}

/// A duration as it is calculated with here.
pub fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

impl Samples {
    /// What a unit of work took a participant.
    pub fn median(&self, who: usize) -> f64 {
        median(self.0[who].clone())
    }

    /// By how much one participant took longer than another, each round by itself.
    pub fn ratio(&self, who: usize, beside: usize) -> f64 {
        median(self.0[who].iter().zip(&self.0[beside]).map(|(a, b)| a / b).collect())
    }
}

/// The middle one; nothing measured is not a number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
