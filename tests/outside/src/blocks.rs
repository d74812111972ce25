//! `lock!` and `lock_model!`.

use lock::prelude::*;

use crate::{AppError, block_on};

#[derive(Model)]
struct Ticket {
    id: u64,
    seat: String,
}

pub fn run() -> Result<(), AppError> {
    let id = 7;
    assert_eq!(lock!("outside:key", { 40 + 2 })?, 42);
    assert_eq!(lock!("user:{id}", wait = "1s", { id + 1 })?, 8);
    assert!(lock!("outside:key", |guard| { guard.is_held() })?);
    assert_eq!(lock!("outside:key", < id + 2 >)?, 9);
    assert_eq!(block_on(async { lock!("outside:key", async { id + 3 }).await })?, 10);

    let ticket = Ticket { id: 1, seat: "12A".to_owned() };
    assert_eq!(lock_model!(ticket, { ticket.id })?, 1);
    assert_eq!(lock_model!(ticket, field = "seat", blocking = false, { ticket.seat.len() })?, 3);

    assert!(leaves_early().is_err());
    Ok(())
}

/// `?` and `return` inside a block belong to the function around it.
fn leaves_early() -> Result<u8, AppError> {
    lock!("outside:early", {
        let _: u8 = "x".parse()?;
        return Ok(1);
    })?
}
