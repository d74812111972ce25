//! First attempts outside of the background thread: in the caller's thread, or polled by him.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::search::Search;
use crate::{
    backend::{Attempt, Fault},
    clock::Moment,
    error::Result,
    guard::Guard,
    locker::{SHORT_LIMIT, limited_anywhere},
    wait::Patience,
};

impl Search {
    /// One attempt at an immediate backend, in the caller's thread. `None`: it was not immediate after all.
    pub(super) fn look_here(&mut self) -> Option<Result<Option<Guard>>> {
        let sent = Moment::now();
        let mut asking = self.backend.try_acquire(&self.request);
        let answer = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(asking);
        match answer {
            Poll::Ready(Ok(attempt)) => Some(self.judge(attempt, sent)),
            Poll::Ready(Err(fault)) => Some(Err(self.failed(fault))),
            Poll::Pending => {
                self.doubtful = true;
                None
            }
        }
    }

    /// One attempt that an async caller polls by himself. `None`: it is for the background thread.
    pub(super) async fn look_on_the_way(&mut self) -> Option<Result<Option<Guard>>> {
        let mut request = self.request.clone();
        request.reserve = self.reserve();
        let sent = Moment::now();
        let asking = self.backend.try_acquire_here(&request)?;
        self.waits.in_line |= request.give_way && self.backend.capabilities().queues;
        let limit = self.limit().min(self.call_limit()).min(SHORT_LIMIT);
        // Kept here, for whoever cleans up if the caller goes away meanwhile.
        let asking = self.here.insert(asking);
        let answer = limited_anywhere(limit, &mut asking.answer).await;
        self.here = None;
        self.looked(answer, sent, limit)
    }

    /// What came of an attempt outside of the background thread.
    fn looked(
        &mut self,
        answer: Result<Attempt, Fault>,
        sent: Moment,
        limit: Duration,
    ) -> Option<Result<Option<Guard>>> {
        match answer {
            Ok(attempt) => {
                self.waits.looked = self.waits.in_line;
                Some(self.judge(attempt, sent))
            }
            Err(fault) if fault.is_elsewhere() => None,
            Err(fault) => {
                let error = self.failed(fault);
                let slow = sent.until_now() > limit / 2;
                let over = self.is_late() || slow && self.options.patience == Patience::None;
                // The background thread asks again: the connection may just have been an old one.
                if error.is_retryable() && !over { None } else { Some(Err(error)) }
            }
        }
    }

    /// One attempt in the thread of a blocking caller. `None`: it is for the background thread.
    pub(super) fn look_blocking(&mut self) -> Option<Result<Option<Guard>>> {
        let mut request = self.request.clone();
        request.reserve = self.reserve();
        let queues = self.backend.capabilities().queues;
        let sent = Moment::now();
        let limit = self.limit().min(self.call_limit()).min(SHORT_LIMIT);
        let answer = self.backend.try_acquire_blocking(&request, limit)?;
        self.waits.in_line |= request.give_way && queues;
        self.looked(answer, sent, limit)
    }
}
