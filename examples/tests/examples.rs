//! Every example ends well and prints what it claims. What is printed only when it is true is looked for here.

use std::{
    env,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

#[test]
fn quickstart_loses_postings_without_the_lock_and_none_with_it() {
    let started = Instant::now();
    let printed = run("quickstart");
    let (without, with) = printed.split_once("Under #[lock(\"ledger\")]").expect("two runs");
    assert!(without.contains("postings lost"), "{printed}");
    assert!(with.contains("postings lost          0 of 4,000"), "{printed}");
    assert!(with.contains("The books balance"), "{printed}");
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
}

#[test]
fn model_sells_a_seat_once() {
    assert!(run("model").contains("seat 12 was sold once"));
}

#[test]
fn blocks_count_every_visit() {
    let printed = run("blocks");
    assert!(printed.contains("and 400 were counted"), "{printed}");
    assert!(printed.contains("the shelf is free afterwards"), "{printed}");
}

#[test]
fn async_tasks_are_one_at_a_time_and_told_of_a_loss() {
    let printed = run("async_tasks");
    assert!(printed.contains("never more than 1 of them inside"), "{printed}");
    assert!(printed.contains("was not free within 100ms") && printed.contains("was lost"), "{printed}");
}

#[test]
fn custom_backend_excludes_and_hands_on() {
    let printed = run("custom_backend");
    assert!(printed.contains("there: token 2"), "{printed}");
    assert!(printed.contains("heir:  token 4"), "{printed}");
}

fn run(example: &str) -> String {
    let Output { status, stdout, stderr } =
        Command::new(program(example)).output().expect("the example starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{example} ended with {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// `cargo test` builds the examples of a package next to its tests.
fn program(example: &str) -> PathBuf {
    let tests = env::current_exe().expect("a test has a path");
    let folder = tests.ancestors().nth(2).expect("…/debug/deps/examples-HASH");
    folder.join("examples").join(example).with_extension(env::consts::EXE_EXTENSION)
}
