//! Every backend × every case × {sync, async on two of four executors, in turn}, each as a test of its own.
//!
//! `cargo test -p tests --test conformance file/sync` runs a part of it. At the end stands what each backend passed, and
//! which capability it lacks for what it was not asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

use std::{
    any::Any,
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use lock_core::conformance::{Case, Outcome, Side, Subject, cases};
use tests::{
    executors::{Make, executors},
    subjects::subjects,
};

/// How many cases one backend is ahead of the next.
const APART: usize = 7;

/// A case that takes longer hangs.
const HANGS: Duration = Duration::from_secs(90);

/// What came of the cases; shown when the last of them is done.
struct Matrix {
    cases: Vec<Case>,
    subjects: Vec<Subject>,
    /// The worst of a case on a backend, over all executors.
    results: Mutex<BTreeMap<(usize, usize), String>>,
}

fn main() {
    let mut arguments = Arguments::from_args();
    // The cases wait more than they work.
    arguments.test_threads.get_or_insert(8);
    // What runs at the same time is of different backends, and not the same case: some of them are hard work.
    let matrix = Arc::new(Matrix { cases: cases(), subjects: subjects(), results: Mutex::default() });
    let mut trials = Vec::new();
    for (number, (executor_name, executor)) in executors().into_iter().enumerate() {
        let side = executor().side();
        let rows: Vec<_> = matrix.cases.iter().enumerate().filter(|(_, case)| case.concerns(side)).collect();
        for step in 0..rows.len() {
            for (column, subject) in matrix.subjects.iter().enumerate() {
                let (row, case) = rows[(step + column * APART) % rows.len()];
                // Each case meets each backend on half of the executors, and each executor on half of the backends; what is
                // about tokio's runtimes, on those of tokio.
                let meets = if subject.name.ends_with("-on-runtime") {
                    executor_name.starts_with("tokio")
                } else {
                    side == Side::Blocking || (row + column + number).is_multiple_of(2)
                };
                if !meets {
                    continue;
                }
                let name = format!("{}/{executor_name}/{}", subject.name, case.name);
                let (case, subject, matrix) = (*case, subject.clone(), Arc::clone(&matrix));
                trials.push(Trial::test(name, move || {
                    let outcome = run(case, subject, executor);
                    matrix.note((row, column), executor_name, &outcome);
                    outcome.map(drop).map_err(Failed::from)
                }));
            }
        }
    }
    // The last trial drops it.
    drop(matrix);
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs a case in a thread of its own, so that one that hangs does not keep the others from being told.
fn run(case: Case, subject: Subject, executor: Make) -> Result<Outcome, String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| case.run(&subject, &executor())));
        drop(tell.send(outcome.map_err(|panic| explain(&*panic))));
    });
    told.recv_timeout(HANGS).unwrap_or_else(|_| Err(format!("it is not done after {HANGS:?}")))
}

fn explain(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
}

impl Matrix {
    fn note(&self, place: (usize, usize), executor: &str, outcome: &Result<Outcome, String>) {
        let text = match outcome {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Missing(capability)) => format!("no {capability}"),
            Err(_) => format!("FAILED on {executor}"),
        };
        let mut results = self.results.lock().unwrap();
        let known = results.entry(place).or_insert_with(|| text.clone());
        if text.starts_with("FAILED") {
            *known = text;
        }
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let results = self.results.get_mut().unwrap();
        if results.is_empty() {
            return;
        }
        let width = self.cases.iter().map(|case| case.name.chars().count()).max().unwrap_or_default();
        let mut text = String::from("\n\n");
        let mut line = |name: &str, cells: Vec<&str>| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name:width$}");
            for cell in cells {
                let _ = write!(text, "  {cell:20}");
            }
            text.push('\n');
        };
        line("", self.subjects.iter().map(|subject| subject.name.as_str()).collect());
        for (row, case) in self.cases.iter().enumerate() {
            let cell = |column| results.get(&(row, column)).map_or("not run", String::as_str);
            if results.keys().any(|(of, _)| *of == row) {
                line(case.name, (0..self.subjects.len()).map(cell).collect());
            }
        }
        println!("{text}");
    }
}
