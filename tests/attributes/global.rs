//! The global locker, and lockers by name.

use std::panic::catch_unwind;

use lock::prelude::*;
use lock::{Error, lock};

use crate::install;

fn is_locked(key: &str) -> bool {
    lock(key).is_locked().unwrap()
}

#[lock("global:sync")]
fn sync() -> bool {
    is_locked("global:sync")
}

#[lock("global:async")]
async fn asynchronous() -> bool {
    is_locked("global:async")
}

#[lock("global:early")]
fn leaves_early(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    Ok(text.parse()?)
}

#[lock("global:panic")]
fn panics() {
    panic!("in the body");
}

#[lock("global:named", using = "jobs")]
fn named() -> bool {
    assert!(!is_locked("global:named"));
    lock::locker("jobs").unwrap().lock("global:named").is_locked().unwrap()
}

#[lock("global:unnamed", using = "nowhere")]
fn unnamed() -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn attributes_and_blocks_use_the_global_locker() {
    install();
    assert!(sync());
    assert!(asynchronous().await);
    assert!(lock!("global:block", { is_locked("global:block") }).unwrap());
    assert!(!is_locked("global:sync") && !is_locked("global:async") && !is_locked("global:block"));
}

#[test]
fn a_call_releases_on_every_way_out_whatever_guards_are_told_to_do() {
    install();
    leaves_early("x").unwrap_err();
    assert!(!is_locked("global:early"));
    catch_unwind(panics).unwrap_err();
    assert!(!is_locked("global:panic"));
}

#[test]
fn a_locker_by_its_name() {
    install();
    assert!(named());
    assert!(matches!(unnamed(), Err(Error::Config { .. })));
}
