//! What came out of the rounds of those who all want one key.

use std::time::Duration;

use benches::{
    Result,
    report::{short, time},
    rounds::{median, nanos, number},
};

use crate::{
    crew::{Crew, Manner, Team},
    requests::Requests,
    stage::Stage,
    turns::Tally,
};

/// Of one contender.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// All of them.
    tallies: Vec<Tally>,
    /// Requests for each section.
    pub(crate) requests: f64,
    /// The server's processor time for each section, in nanoseconds.
    pub(crate) processor: f64,
    span: Duration,
}

/// Lets everybody's crews have their rounds in turn. In the first one nothing is timed: the requests are counted.
pub(crate) fn play(stage: &Stage, field: &[Team], manner: Manner) -> Result<Vec<Outcome>> {
    let (rounds, span) = if stage.effort.quick { (1, 300) } else { (3, 800) };
    let span = Duration::from_millis(span);
    let mut outcomes = Vec::new();
    let mut processor = vec![Vec::new(); field.len()];
    let mut crews = Vec::new();
    for team in field {
        let mut crew = Crew::start(team, &stage.server.url())?;
        let listener = Requests::listen(&stage.server)?;
        let (turns, ..) =
            crew.round(span, manner).map_err(|error| format!("{}: {error}", team.entry.name))?;
        let requests = f64::from(listener.until_now()?.total()) / number(turns.len());
        outcomes.push(Outcome { name: team.entry.name, tallies: Vec::new(), requests, processor: 0.0, span });
        crews.push(crew);
    }
    for round in 0..rounds {
        for place in 0..field.len() {
            let who = (place + round) % field.len();
            let before = stage.server.processor_time()?;
            let (turns, begin, end) = crews[who].round(span, manner)?;
            let used = nanos(stage.server.processor_time()?.saturating_sub(before));
            processor[who].push(used / number(turns.len()));
            outcomes[who].tallies.push(Tally::new(turns, &field[who], begin, end)?);
        }
    }
    crews.into_iter().try_for_each(Crew::end)?;
    outcomes.iter_mut().zip(processor).for_each(|(outcome, used)| outcome.processor = median(used));
    Ok(outcomes)
}

impl Outcome {
    pub(crate) fn median(&self, what: impl Fn(&Tally) -> f64) -> f64 {
        median(self.tallies.iter().map(what).collect())
    }

    /// How many turns each worker had, by the mean of all.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let workers = self.tallies.first().map_or(0, |tally| tally.turns.len());
        let total =
            |worker: usize| f64::from(self.tallies.iter().map(|tally| tally.turns[worker]).sum::<u32>());
        let totals: Vec<_> = (0..workers).map(total).collect();
        let mean = totals.iter().sum::<f64>() / number(totals.len());
        totals.iter().map(|turns| turns / mean).collect()
    }

    /// The longest of each round.
    pub(crate) fn worst_wait(&self) -> f64 {
        self.median(|tally| tally.worst_wait)
    }

    pub(crate) fn overlaps(&self) -> usize {
        self.tallies.iter().map(|tally| tally.overlaps).sum()
    }

    fn cells(&self) -> Vec<String> {
        let shares = self.shares();
        let [least, most] = [f64::min, f64::max].map(|pick| shares.iter().copied().fold(1.0, pick));
        vec![
            self.name.into(),
            short(self.median(|tally| number(tally.sections)) / self.span.as_secs_f64()),
            time(self.median(|tally| tally.between)),
            if_ever(self.median(|tally| tally.new_owner)),
            if_ever(self.median(|tally| tally.new_process)),
            short(self.requests),
            time(self.processor),
            format!("{} to {}", short(least), short(most)),
            short(self.worst_wait()),
            self.overlaps().to_string(),
        ]
    }
}

const HEAD: [&str; 10] = [
    "",
    "sections/s",
    "between sections",
    "new owner",
    "new process",
    "requests",
    "server CPU",
    "turns of a worker",
    "worst wait",
    "overlaps",
];

/// What one has to know to read it.
pub(crate) const ABOUT: &str = "Between the end of a section and the next one: on the average, and, where it is the turn of another \
worker or of another process, the middle one. Requests and processor time of the server: for each section. The turns of whoever had fewest and \
most, by the mean. The longest wait of a round, by the time in which everybody could have had one turn. Overlaps: sections that began \
before the one before was over. Who polls looks fast where the one who releases the lock takes it again at once.";

/// A line for each.
pub(crate) fn grid(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let head = HEAD.map(String::from).to_vec();
    std::iter::once(head).chain(outcomes.iter().map(Outcome::cells)).collect()
}

fn if_ever(nanos: f64) -> String {
    if nanos.is_nan() { "never".into() } else { time(nanos) }
}
