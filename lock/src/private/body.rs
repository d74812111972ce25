//! Running a body under a guard.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use lock_core::{Error, Guard, Lock};

/// Waits for the lock of a call, in sync code.
pub fn acquire(lock: &Lock) -> Result<Guard, Error> {
    lock.acquire()
}

/// Waits for the lock of a call, in async code; owns it, so that the caller's future does not carry it.
pub async fn acquire_async(lock: Lock) -> Result<Guard, Error> {
    lock.acquire_async().await
}

/// Polls a body to its end, or until the lease is lost where somebody can be told, and releases.
pub async fn until_lost<F: Future>(
    guard: &Guard,
    body: Pin<&mut F>,
    on_lost: Option<impl FnOnce(Error) -> F::Output>,
) -> F::Output {
    let Some(on_lost) = on_lost else {
        let output = body.await;
        release(guard).await;
        return output;
    };
    match race(guard, body).await {
        Some(output) => {
            release(guard).await;
            output
        }
        None => on_lost(Error::lost(guard.key())),
    }
}

/// The same for a block, which always has a `Result` to tell a loss by.
pub async fn block<F: Future>(guard: &Guard, body: Pin<&mut F>, cancel: bool) -> Result<F::Output, Error> {
    let output = if cancel { race(guard, body).await } else { Some(body.await) };
    let Some(output) = output else {
        return Err(Error::lost(guard.key()));
    };
    release(guard).await;
    Ok(output)
}

/// The body first: what is complete is not thrown away.
async fn race<F: Future>(guard: &Guard, mut body: Pin<&mut F>) -> Option<F::Output> {
    let mut lost = pin!(guard.lost());
    poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => lost.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// A body that is complete has its value; that the lease was lost meanwhile is the guard's to report.
async fn release(guard: &Guard) {
    let _ = guard.release_async().await;
}
