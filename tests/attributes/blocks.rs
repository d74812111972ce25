//! Blocks.

use std::future::pending;
use std::time::Duration;

use lock::prelude::*;

use crate::{LOCKER, is_locked};

#[test]
fn held_during_and_free_after() {
    let held = lock!("blocks:during", using = LOCKER, { is_locked("blocks:during") });
    assert!(held.unwrap());
    assert!(!is_locked("blocks:during"));
}

#[test]
fn a_held_lock_is_the_error_of_the_block() {
    let guard = LOCKER.lock("blocks:held").acquire().unwrap();
    let outcome = lock!("blocks:held", using = LOCKER, blocking = false, { 1 });
    assert!(outcome.unwrap_err().is_locked());
    guard.release().unwrap();
}

#[test]
fn the_spelling_of_the_design_card_is_the_same_block() {
    let value = lock!("blocks:card", using = LOCKER, < let a = 1; if a < 2 && a > 0 { a + 1 } else { 0 } >);
    assert_eq!(value.unwrap(), 2);
}

fn leaves(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    let number = lock!("blocks:leaves", using = LOCKER, {
        if text.is_empty() {
            return Ok(0);
        }
        text.parse::<u8>()?
    })?;
    Ok(number + 1)
}

#[test]
fn a_question_mark_and_a_return_are_the_surrounding_functions() {
    assert_eq!(leaves("").unwrap(), 0);
    assert_eq!(leaves("1").unwrap(), 2);
    leaves("x").unwrap_err();
    assert!(!is_locked("blocks:leaves"));
}

#[test]
fn the_guard_by_its_name() {
    let held = lock!("blocks:guard", using = LOCKER, |guard| {
        guard.release().unwrap();
        is_locked("blocks:guard")
    });
    assert!(!held.unwrap());
}

#[test]
fn a_nested_block_of_the_same_key_is_an_error_and_never_a_hang() {
    let nested = lock!("blocks:nested", using = LOCKER, { lock!("blocks:nested", using = LOCKER, { 1 }) });
    assert!(matches!(nested.unwrap(), Err(lock::Error::WouldDeadlock { .. })));
}

#[tokio::test]
async fn an_async_block_is_held_over_its_awaits() {
    let name = String::from("blocks:async");
    let held = lock!("{name}", using = LOCKER, async {
        tokio::task::yield_now().await;
        is_locked(&name.replace(':', "%3A"))
    });
    assert!(held.await.unwrap());
    let moved = lock!("blocks:moved", using = LOCKER, async move { name.len() });
    assert_eq!(tokio::spawn(moved).await.unwrap().unwrap(), 12);
    let guarded = lock!("blocks:async guard", using = LOCKER, async |guard| guard.is_held());
    assert!(guarded.await.unwrap());
}

#[tokio::test]
async fn a_lost_lease_cancels_an_async_block() {
    let block = lock!("blocks:lost", using = LOCKER, async {
        LOCKER.lock("blocks:lost").force_release().unwrap();
        pending::<()>().await;
    });
    let outcome = tokio::time::timeout(Duration::from_secs(20), block).await.unwrap();
    assert!(outcome.unwrap_err().is_lost());
}

#[test]
fn a_block_whose_type_the_code_after_it_decides() {
    let parse = || -> Result<u64, Box<dyn std::error::Error>> {
        let number: u64 = lock!("blocks:inferred", using = LOCKER, { "7".parse()? })?;
        let mut list = lock!("blocks:inferred", using = LOCKER, { Vec::new() })?;
        let mut boxed = lock!("blocks:inferred", using = LOCKER, { Box::default() })?;
        let mut option = lock!("blocks:inferred", using = LOCKER, { None })?;
        list.push(number);
        *boxed = number;
        option.get_or_insert(*boxed);
        let _: u8 = lock!("blocks:inferred", using = LOCKER, { Default::default() })?;
        Ok(list[0])
    };
    assert_eq!(parse().unwrap(), 7);
}
