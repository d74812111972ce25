//! The same participants measured in several ways, beside each other.

use crate::{
    chart::Panel,
    report::{short, time},
    rounds::Samples,
};

/// A table of participants by ways of measuring.
#[derive(Debug)]
pub struct Columns<'a> {
    names: &'a [String],
    ways: Vec<(String, Samples)>,
}

impl<'a> Columns<'a> {
    /// Without any way yet.
    pub fn new(names: &'a [String]) -> Self {
        Self { names, ways: Vec::new() }
    }

    /// What was measured in one more way.
    pub fn add(&mut self, way: &str, samples: Samples) {
        self.ways.push((way.to_owned(), samples));
    }

    /// A line for each participant: its time, and in brackets the ratio to the floor.
    pub fn grid(&self, floor: usize) -> Vec<Vec<String>> {
        let head = std::iter::once(String::new()).chain(self.ways.iter().map(|(way, _)| way.clone()));
        let mut lines = vec![head.collect()];
        for (who, name) in self.names.iter().enumerate() {
            let cell = |(_, samples): &(String, Samples)| {
                format!("{} ({})", time(samples.median(who)), short(samples.ratio(who, floor)))
            };
            lines.push(std::iter::once(name.clone()).chain(self.ways.iter().map(cell)).collect());
        }
        lines
    }

    /// The first so many participants, in the last way that they were measured.
    pub fn panel(&self, title: &str, count: usize) -> Panel {
        let way = self.ways.last().map(|(way, _)| way.as_str()).unwrap_or_default();
        let value = |who| self.ways.last().map_or(f64::NAN, |(_, samples)| samples.median(who));
        let bars = self.names.iter().take(count).enumerate().map(|(who, name)| (name.clone(), value(who)));
        Panel::bars(&format!("{title} ({way})"), bars.collect())
    }
}
