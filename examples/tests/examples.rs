//! Every example ends well and prints what it claims. What is printed only when it is true is looked for here.

use std::{
    env, io,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

#[test]
fn quickstart_loses_postings_without_the_lock_and_none_with_it() -> io::Result<()> {
    let started = Instant::now();
    let printed = run("quickstart")?;
    let (without, with) = printed.split_once("Under #[lock(\"ledger\")]").unwrap_or_default();
    assert!(without.contains("postings lost") && !without.contains(" 0 of 4,000"), "{printed}");
    assert!(with.contains("postings lost          0 of 4,000"), "{printed}");
    assert!(with.contains("The books balance"), "{printed}");
    assert!(started.elapsed() < Duration::from_secs(45), "it took {:?}", started.elapsed());
    Ok(())
}

#[test]
fn model_sells_a_seat_once() -> io::Result<()> {
    let printed = run("model")?;
    assert!(printed.contains("seat 12 was sold once"), "{printed}");
    Ok(())
}

#[cfg(feature = "sqlx")]
#[test]
fn model_sqlx_loses_payments_without_the_lock_and_none_with_it() -> io::Result<()> {
    let printed = run("model_sqlx")?;
    assert!(printed.contains("without a lock, ten times 10 make 10\n"), "{printed}");
    assert!(printed.contains("ten times 10 make 100\n"), "{printed}");
    Ok(())
}

#[cfg(feature = "diesel")]
#[test]
fn model_diesel_sells_twice_without_the_lock_and_once_with_it() -> io::Result<()> {
    let printed = run("model_diesel")?;
    assert!(printed.contains("without a lock, ten of ten sold leave 9\n"), "{printed}");
    assert!(printed.contains("ten of ten sold leave 0\n"), "{printed}");
    Ok(())
}

#[test]
fn blocks_count_every_visit() -> io::Result<()> {
    let printed = run("blocks")?;
    assert!(printed.contains("and 400 were counted"), "{printed}");
    assert!(printed.contains("the shelf is free afterwards"), "{printed}");
    Ok(())
}

#[test]
fn async_tasks_are_one_at_a_time_and_told_of_a_loss() -> io::Result<()> {
    let printed = run("async_tasks")?;
    assert!(printed.contains("never more than 1 of them inside"), "{printed}");
    assert!(printed.contains("was not free within 100ms") && printed.contains("was lost"), "{printed}");
    Ok(())
}

#[test]
fn custom_backend_excludes_and_hands_on() -> io::Result<()> {
    let printed = run("custom_backend")?;
    assert!(printed.contains("there: token 2"), "{printed}");
    assert!(printed.contains("heir:  token 4"), "{printed}");
    Ok(())
}

#[cfg(feature = "redis")]
#[test]
fn redis_workers_exclude_each_other_and_are_cancelled_when_the_server_stops() -> io::Result<()> {
    let printed = run("redis_workers")?;
    assert!(printed.contains("never more than 1 at once per order"), "{printed}");
    assert!(printed.contains("was lost") && printed.contains("it goes on"), "{printed}");
    Ok(())
}

fn run(example: &str) -> io::Result<String> {
    let Output { status, stdout, stderr } = Command::new(program(example)?).output()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{example} ended with {status}\n{stdout}\n{stderr}");
    Ok(stdout.into_owned())
}

/// `cargo test` builds the examples of a package next to its tests: `…/debug/examples` beside `…/debug/deps`.
fn program(example: &str) -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let folder = test.ancestors().nth(2).map(|folder| folder.join("examples")).unwrap_or_default();
    let program = folder.join(example).with_extension(env::consts::EXE_EXTENSION);
    if program.exists() {
        Ok(program)
    } else {
        Err(io::Error::other(format!("{} was not built", program.display())))
    }
}
