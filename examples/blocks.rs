//! `lock!` around a few lines: the block has a value, and `?` and `return` inside it leave the function around it.
//!
//! ```sh
//! cargo run --example blocks
//! ```

use std::{
    error::Error,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use lock::lock;
use lock::prelude::*;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

static VISITS: AtomicU32 = AtomicU32::new(0);

/// Reads and writes in two steps: two threads in it at the same time would lose a visit.
fn visit() -> Result<u32, lock::Error> {
    lock!("visits", {
        let before = VISITS.load(Ordering::Relaxed);
        thread::yield_now();
        VISITS.store(before + 1, Ordering::Relaxed);
        before + 1
    })
}

/// The key is built from an argument. A wrong order leaves through `?` or `return`, and frees the key on its way.
fn order(shelf: &str, pieces: &str) -> Result<u32> {
    let pieces = lock!("shelf:{shelf}", wait = "2s", {
        let pieces: u32 = pieces.parse()?;
        if pieces > 12 {
            return Err(format!("{pieces} pieces are more than a shelf holds").into());
        }
        pieces
    })?;
    Ok(pieces)
}

async fn visit_later() -> Result<u32, lock::Error> {
    lock!("visits", async { VISITS.fetch_add(1, Ordering::Relaxed) + 1 }).await
}

fn main() -> Result<()> {
    let visitors: Vec<_> =
        (0..4).map(|_| thread::spawn(|| (0..100).try_for_each(|_| visit().map(drop)))).collect();
    for visitor in visitors {
        visitor.join().map_err(|_| "a visitor failed")??;
    }
    let visits = VISITS.load(Ordering::Relaxed);
    println!("4 threads made 100 visits each, and {visits} were counted");
    ensure(visits == 400)?;

    for pieces in ["3", "many", "100"] {
        match order("a", pieces) {
            Ok(_) => println!("an order of {pieces}: taken"),
            Err(error) => println!("an order of {pieces}: {error}"),
        }
    }
    ensure(order("a", "3").is_ok() && order("a", "many").is_err() && order("a", "100").is_err())?;
    println!("the shelf is {} afterwards", if lock("shelf:a").is_locked()? { "locked" } else { "free" });
    ensure(!lock("shelf:a").is_locked()?)?;

    let (first, second) = (
        lock!("report", |guard| { guard.fencing_token() })?,
        lock!("report", |guard| { guard.fencing_token() })?,
    );
    println!("two blocks in a row held it under the tokens {first} < {second}");
    ensure(first < second)?;

    let later = tokio::runtime::Builder::new_current_thread().build()?.block_on(visit_later())?;
    println!("async, visit number {later}");
    ensure(later == 401)
}

fn ensure(shown: bool) -> Result<()> {
    if shown { Ok(()) } else { Err("that is not what this example claims".into()) }
}
