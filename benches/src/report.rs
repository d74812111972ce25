//! The table of figures.

use std::fmt;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Demand {
    /// No more than this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// No less than this.
    AtLeast(f64),
    /// Nothing is demanded of it; it is shown beside another figure.
    Shown,
}

impl Demand {
    /// Whether a value is as demanded; `None` where nothing is.
    pub fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(limit) => Some(value <= limit),
            Self::Below(limit) => Some(value < limit),
            Self::AtLeast(limit) => Some(value >= limit),
            Self::Shown => None,
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {}", short(*limit)),
            Self::Below(limit) => write!(f, "< {}", short(*limit)),
            Self::AtLeast(limit) => write!(f, "≥ {}", short(*limit)),
            Self::Shown => Ok(()),
        }
    }
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub figure: String,
    /// How it is with us.
    pub ours: String,
    /// How it is with somebody else in the same run.
    pub beside: String,
    /// What is held against the demand: a ratio, or our figure itself.
    pub value: f64,
    /// What it has to be.
    pub demand: Demand,
}

impl Row {
    /// A figure and the same of a peer or of the floor, in one run.
    pub fn beside(figure: &str, ours: f64, peer: &str, theirs: f64, ratio: f64, demand: Demand) -> Self {
        let beside = format!("{} {peer}", time(theirs));
        Self { figure: figure.into(), ours: time(ours), beside, value: ratio, demand }
    }

    /// A figure that stands for itself.
    pub fn alone(figure: &str, ours: String, value: f64, demand: Demand) -> Self {
        Self { figure: figure.into(), ours, beside: String::new(), value, demand }
    }

    /// Whether it is as demanded; `None` where nothing is.
    pub fn verdict(&self) -> Option<bool> {
        self.demand.is_met(self.value)
    }

    fn cells(&self) -> [String; 6] {
        let verdict = match self.verdict() {
            Some(true) => "ok",
            Some(false) => "NOT",
            None => "",
        };
        [
            self.figure.clone(),
            self.ours.clone(),
            self.beside.clone(),
            short(self.value),
            self.demand.to_string(),
            verdict.into(),
        ]
    }
}

/// All lines, as text that is also Markdown.
pub fn table(rows: &[Row]) -> String {
    let head = ["figure", "ours", "beside", "ratio or value", "demanded", ""].map(String::from);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    grid(&lines)
}

/// Lines of as many cells each, the first of them the head, as text that is also Markdown.
pub fn grid<L: AsRef<[String]>>(lines: &[L]) -> String {
    let columns = lines.first().map_or(0, |head| head.as_ref().len());
    let width =
        |column: usize| lines.iter().map(|line| line.as_ref()[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells = line.as_ref().iter().zip(&widths).map(|(cell, &width)| format!("| {cell:width$} "));
        text.extend(cells.chain(["|\n".into()]));
        if number == 0 {
            let rules = widths.iter().map(|width| format!("|{}", "-".repeat(width + 2)));
            text.extend(rules.chain(["|\n".into()]));
        }
    }
    text
}

/// Nanoseconds, as people read them.
pub fn time(nanos: f64) -> String {
    match nanos {
        _ if nanos < 1e3 => format!("{} ns", short(nanos)),
        _ if nanos < 1e6 => format!("{} µs", short(nanos / 1e3)),
        _ => format!("{} ms", short(nanos / 1e6)),
    }
}

/// Three digits are more than a noisy machine has to say.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
