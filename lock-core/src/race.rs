//! Two futures of which the first to be ready counts.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Whichever is ready first; `first` where both are.
pub(crate) async fn race<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| {
        if let Poll::Ready(value) = first.as_mut().poll(context) {
            return Poll::Ready(Either::First(value));
        }
        second.as_mut().poll(context).map(Either::Second)
    })
    .await
}
