//! What the command line asks for: which figures, and how thoroughly.

use std::{env, time::Duration};

use crate::Result;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// A short run that only shows that everything works, and roughly how it stands.
    pub quick: bool,
}

impl Effort {
    /// So many rounds; a sixth of them in a hurry.
    pub fn rounds(self, rounds: usize) -> usize {
        if self.quick { rounds.div_ceil(6) } else { rounds }
    }

    /// How long to wait in all, for each figure, until other programs let it be measured.
    pub fn patience(self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 30 })
    }
}

/// The arguments after `cargo bench -p benches --`.
#[derive(Debug)]
pub struct Order {
    /// How long to measure.
    pub effort: Effort,
    arguments: Vec<String>,
}

impl Order {
    /// Of this process.
    pub fn read() -> Self {
        let arguments: Vec<_> = env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        // `cargo test --all-targets` runs this as well, without `--bench`: it is to see that it works.
        let effort = Effort { quick: has("--quick") || !has("--bench") };
        Self { effort, arguments }
    }

    /// Whether all figures are wanted, each as well as it can be measured: what a page is written from.
    pub fn is_whole<F>(&self, figures: &[(&str, F)]) -> bool {
        !self.effort.quick && self.names_none(figures)
    }

    /// Takes the figures that are named, or all of them if none is.
    ///
    /// # Errors
    /// The first error of a figure.
    pub fn each<F: Copy, T>(
        &self,
        figures: &[(&str, F)],
        mut take: impl FnMut(F) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let all = self.names_none(figures);
        let mut taken = Vec::new();
        for &(name, figure) in figures {
            if all || self.names(name) {
                eprintln!("measuring {name} …");
                taken.extend(take(figure)?);
            }
        }
        Ok(taken)
    }

    /// Whether something is among the arguments.
    pub fn names(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument == name)
    }

    fn names_none<F>(&self, figures: &[(&str, F)]) -> bool {
        !figures.iter().any(|(name, _)| self.names(name))
    }
}
