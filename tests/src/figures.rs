//! What came of faults, added up and told in a line.

use std::time::Duration;

use crate::report;

/// What came of faults of a kind.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How many there were.
    pub faults: u32,
    /// The longest after a fault, or after its end, until somebody had the lock who wanted it.
    pub reacquired: Duration,
    /// The longest after its deadline until a guard was told of its loss; `None` if none was lost.
    pub told: Option<Duration>,
}

impl Figures {
    /// Somebody had the lock again after that time.
    pub fn reacquired(&mut self, after: Duration) {
        self.reacquired = self.reacquired.max(after);
    }

    /// A guard was told of its loss so much after its deadline.
    pub fn told(&mut self, late: Duration) {
        self.told = self.told.max(Some(late));
    }

    /// These and others together.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            faults: self.faults + other.faults,
            reacquired: self.reacquired.max(other.reacquired),
            told: self.told.max(other.told),
        }
    }

    /// Prints them.
    pub fn report(&self, store: &str, what: &str, double_holds: usize) {
        let told =
            self.told.map_or_else(|| "none lost".into(), |late| format!("{late:?} after the deadline"));
        report(&format!(
            "{store}: {what}: {} faults, {double_holds} double holds, worst re-acquire {:?}, worst notice of loss: {told}",
            self.faults, self.reacquired
        ));
    }
}
