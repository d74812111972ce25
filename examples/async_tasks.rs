//! Async tasks that wait for each other, that give up waiting, and that are told when their lease is gone.
//!
//! ```sh
//! cargo run --example async_tasks
//! ```
//!
//! Tokio is only this example's executor; any other does as well.

use std::{
    error::Error,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use lock::lock;
use tokio::{runtime, task, time};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

static INSIDE: AtomicU32 = AtomicU32::new(0);
static MOST_INSIDE: AtomicU32 = AtomicU32::new(0);

#[lock("async_tasks:crowd")]
async fn one_of_a_crowd() -> Result<(), lock::Error> {
    MOST_INSIDE.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    time::sleep(Duration::from_millis(1)).await;
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

#[lock("async_tasks:report", wait = "100ms")]
async fn report() -> Result<(), lock::Error> {
    Ok(())
}

/// Takes longer than the lease that nobody renews: it is cancelled, and its caller is told.
#[lock("async_tasks:import", ttl = "300ms", renew = false)]
async fn import() -> Result<(), lock::Error> {
    time::sleep(Duration::from_secs(45)).await;
    Ok(())
}

fn main() -> Result<()> {
    runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?.block_on(async {
        waiting().await?;
        giving_up().await?;
        being_told().await
    })
}

async fn waiting() -> Result<()> {
    let tasks: Vec<_> = (0..50).map(|_| task::spawn(one_of_a_crowd())).collect();
    for task in tasks {
        task.await??;
    }
    let most = MOST_INSIDE.load(Ordering::SeqCst);
    println!("50 tasks on two threads, and never more than {most} of them inside");
    ensure(most == 1)
}

async fn giving_up() -> Result<()> {
    let held = lock("async_tasks:report").acquire_async().await?;

    let asked = Instant::now();
    let outcome = report().await;
    println!("report after {:?}: {}", asked.elapsed(), told(&outcome));
    ensure(outcome.is_err_and(|error| error.is_locked()))?;

    // A waiting future may be dropped at any point; here by a time limit around it.
    let waiting = lock("async_tasks:report");
    let dropped = time::timeout(Duration::from_millis(50), waiting.acquire_async()).await;
    ensure(dropped.is_err())?;
    held.release_async().await?;
    report().await?;
    println!("the dropped attempt left nothing behind: the next one had the lock");
    Ok(())
}

async fn being_told() -> Result<()> {
    let asked = Instant::now();
    let outcome = import().await;
    println!("import after {:?}: {}", asked.elapsed(), told(&outcome));
    ensure(outcome.is_err_and(|error| error.is_lost()) && asked.elapsed() < Duration::from_secs(30))
}

fn told(outcome: &Result<(), lock::Error>) -> String {
    outcome.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned())
}

fn ensure(shown: bool) -> Result<()> {
    if shown { Ok(()) } else { Err("that is not what this example claims".into()) }
}
