//! Running a body under a guard.

use std::pin::Pin;

use lock_core::{Error, Guard, Lock};

use super::outcome::RunsUnderTheLock;

/// Waits for the lock of a call, in sync code.
pub fn acquire(lock: &Lock) -> Result<Guard, Error> {
    lock.acquire()
}

/// Runs a body; a panic in it is reported at its own line although the function tracks its caller.
pub fn run<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Waits for the lock of a call, in async code; owns it, so that the caller's future does not carry it.
pub async fn acquire_async(lock: Lock) -> Result<Guard, Error> {
    lock.acquire_async().await
}

/// Polls a body to its end, or until the lease is lost where somebody can be told, and releases.
///
/// A body that is complete has its value; that the lease was lost meanwhile is a `tracing` event.
pub async fn until_lost<F: Future>(
    guard: &Guard,
    body: Pin<&mut F>,
    on_lost: Option<impl FnOnce(Error) -> F::Output>,
) -> F::Output {
    let output = match on_lost {
        None => body.await,
        Some(on_lost) => match guard.run(body).await {
            Ok(output) => output,
            Err(error) => return on_lost(error),
        },
    };
    guard.release_quietly_async().await;
    output
}

/// The same for a block, which always has a `Result` to tell a loss by.
pub async fn block<F, Why>(guard: &Guard, body: Pin<&mut F>, cancel: bool) -> Result<F::Output, Error>
where
    F: Future<Output: RunsUnderTheLock<Why>>,
{
    let output = if cancel { guard.run(body).await? } else { body.await };
    guard.release_quietly_async().await;
    Ok(output)
}
