//! Interleaved rounds: on a machine with other work, only what was measured side by side can be compared.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use crate::{Result, machine};

/// One who takes part: does its work for one round, and says how many nanoseconds a unit of it took.
pub type Run<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// What was measured, by participant and round.
#[derive(Debug)]
pub struct Samples(Vec<Vec<f64>>);

impl From<Vec<Vec<f64>>> for Samples {
    fn from(measured: Vec<Vec<f64>>) -> Self {
        Self(measured)
    }
}

/// Lets everybody have a turn in every round, after one round to warm up.
///
/// While other programs want a processor, what two threads do to each other cannot be measured: such moments are
/// waited out, and what was disturbed is measured again, for so long as there is `patience` in all.
///
/// # Errors
/// The first error of a participant.
pub fn interleaved(rounds: usize, mut patience: Duration, runs: &mut [Run<'_>]) -> Result<Samples> {
    let mut samples = vec![Vec::with_capacity(rounds); runs.len()];
    for run in &mut *runs {
        run()?;
    }
    for round in 0..rounds {
        for place in 0..runs.len() {
            // Whoever comes first finds the caches as another one left them: not always the same.
            let who = (place + round) % runs.len();
            samples[who].push(undisturbed(&mut runs[who], &mut patience)?);
        }
    }
    Ok(Samples(samples))
}

fn undisturbed(run: &mut Run<'_>, patience: &mut Duration) -> Result<f64> {
    const PAUSE: Duration = Duration::from_millis(5);
    loop {
        let begun = Instant::now();
        while machine::others_running() && begun.elapsed() < *patience {
            thread::sleep(PAUSE);
        }
        let measured = run()?;
        if patience.is_zero() || !machine::others_running() {
            return Ok(measured);
        }
        *patience = patience.saturating_sub(begun.elapsed());
        if patience.is_zero() {
            eprintln!("  other programs are running: what two threads do to each other is not to be trusted");
        }
    }
}

/// How many nanoseconds one of `count` repetitions of `work` takes, the end of what it returns included.
///
/// # Errors
/// The first error of `work`.
pub fn each<T>(count: u32, mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    let begun = Instant::now();
    for _ in 0..count {
        drop(black_box(work()?));
    }
    Ok(nanos(begun.elapsed()) / f64::from(count))
}

/// A count as it is calculated with here.
pub fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
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
