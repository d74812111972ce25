//! Every backend × every case × {sync, async on three executors}, each as a test of its own.
//!
//! `cargo test -p tests --test conformance file/sync` runs a part of it. At the end stands what each backend passed, and
//! which capability it lacks for what it was not asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use lock_core::conformance::{Case, Executor, Outcome, Subject, cases};
use tests::{executors::executors, subjects::subjects};

/// A case that takes longer hangs.
const HANGS: Duration = Duration::from_secs(90);

/// The worst that came of a case on a backend, over all executors.
type Results = Arc<Mutex<BTreeMap<(usize, usize), String>>>;

fn main() {
    let mut arguments = Arguments::from_args();
    // The cases wait more than they work.
    arguments.test_threads.get_or_insert(12);
    let (subjects, cases, results) = (subjects(), cases(), Results::default());
    let mut trials = Vec::new();
    // Executors first: what runs at the same time is then of different backends.
    for (executor_name, executor) in executors() {
        for (row, case) in cases.iter().enumerate() {
            for (column, subject) in subjects.iter().enumerate() {
                if !case.concerns(executor().side()) {
                    continue;
                }
                let name = format!("{}/{executor_name}/{}", subject.name, case.name);
                let (case, subject, results) = (*case, subject.clone(), Arc::clone(&results));
                trials.push(Trial::test(name, move || {
                    let outcome = run(case, subject, executor);
                    note(&results, (row, column), executor_name, &outcome);
                    outcome.map(drop).map_err(Failed::from)
                }));
            }
        }
    }
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !listing {
        print_matrix(&cases, &subjects, &results.lock().unwrap());
        // The line that readers of test runs look for stands last.
        println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out",
            if conclusion.has_failed() { "FAILED" } else { "ok" },
            conclusion.num_passed,
            conclusion.num_failed,
            conclusion.num_ignored,
            conclusion.num_filtered_out,
        );
    }
    // The subjects' directories are removed before the process ends.
    drop(subjects);
    conclusion.exit();
}

/// Runs a case in a thread of its own, so that one that hangs does not keep the others from being told.
fn run(case: Case, subject: Subject, executor: fn() -> Arc<dyn Executor>) -> Result<Outcome, String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| case.run(&subject, executor())));
        drop(tell.send(outcome.map_err(|panic| explain(&*panic))));
    });
    told.recv_timeout(HANGS).unwrap_or_else(|_| Err(format!("it is not done after {HANGS:?}")))
}

fn explain(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
}

fn note(results: &Results, place: (usize, usize), executor: &str, outcome: &Result<Outcome, String>) {
    let text = match outcome {
        Ok(Outcome::Passed) => "passed".to_owned(),
        Ok(Outcome::Missing(capability)) => format!("no {capability}"),
        Err(_) => format!("FAILED on {executor}"),
    };
    let mut results = results.lock().unwrap();
    let known = results.entry(place).or_insert_with(|| text.clone());
    if text.starts_with("FAILED") {
        *known = text;
    }
}

fn print_matrix(cases: &[Case], subjects: &[Subject], results: &BTreeMap<(usize, usize), String>) {
    let width = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or_default();
    print!("\n{:width$}", "");
    subjects.iter().for_each(|subject| print!("  {:20}", subject.name));
    println!();
    for (row, case) in cases.iter().enumerate() {
        if !results.keys().any(|(of, _)| *of == row) {
            continue;
        }
        print!("{:width$}", case.name);
        for column in 0..subjects.len() {
            print!("  {:20}", results.get(&(row, column)).map_or("not run", String::as_str));
        }
        println!();
    }
}
