//! Requests of one process that come while others are under way are sent together: many in one script cost the server
//! half of what they cost one by one, and the process one system call.
//!
//! What may interleave: requests come from any thread while those before them are being sent. Whoever finds nobody at it
//! has the background thread send what waits, until nothing does; under one lock, so that no request is left behind. Each
//! is answered once, also if who sends crashes: then with an error that says that it may have been executed. Who has
//! gone before his request is sent is left out.

use std::{
    marker::PhantomData,
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use redis::Value;
use tokio::sync::oneshot;

use super::{
    link::{Link, Up},
    requests::Unanswered,
    scripts::Call,
    wish::Wish,
};
use crate::{
    backend::Fault,
    background,
    sync::{self, Mutex},
};

/// How many are sent in one at most, for the server to serve others in between.
const MOST: usize = 32;

/// Those who wait to be sent.
pub(super) struct Crowd<T>(Mutex<State<T>>);

struct State<T> {
    process: u32,
    waiting: Vec<Waiting<T>>,
    /// Somebody is at it.
    sending: bool,
}

struct Waiting<T> {
    wish: T,
    answer: oneshot::Sender<Result<Value, Fault>>,
}

impl<T> Default for Crowd<T> {
    fn default() -> Self {
        Self(Mutex::new(State { process: 0, waiting: Vec::new(), sending: false }))
    }
}

impl<T: Wish> Crowd<T> {
    /// Returns whether nobody is at sending them.
    fn join(&self, waiting: Waiting<T>, process: u32) -> bool {
        let mut state = sync::lock(&self.0);
        if state.process != process {
            // A forked child: who was at it is in its parent, and so are those who waited.
            mem::forget(mem::take(&mut state.waiting));
            (state.process, state.sending) = (process, false);
        }
        state.waiting.push(waiting);
        !mem::replace(&mut state.sending, true)
    }

    /// Those to be sent next; nobody is at it any more if there are none.
    fn next(&self) -> Vec<Waiting<T>> {
        let mut state = sync::lock(&self.0);
        state.sending = !state.waiting.is_empty();
        mem::take(&mut state.waiting)
    }

    /// Nobody is at it any more: who waits is told by the end of his channel.
    fn crashed(&self) {
        let mut state = sync::lock(&self.0);
        state.sending = false;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }
}

/// Sends what waits, and stops being at it however that ends.
struct Sending<T: Wish> {
    link: Arc<Link>,
    /// Somebody else may be at it already.
    done: bool,
    of: PhantomData<T>,
}

impl<T: Wish> Sending<T> {
    async fn run(mut self) {
        loop {
            let link = &self.link;
            let mut waiting = T::crowd(link).next();
            if waiting.is_empty() {
                self.done = true;
                return;
            }
            waiting.retain(|waiting| !waiting.answer.is_closed());
            while let Some(first) = waiting.first() {
                let together =
                    waiting.iter().take(MOST).take_while(|other| first.wish.goes_with(&other.wish));
                let rest = waiting.split_off(together.count());
                drop(tokio::spawn(send(Arc::clone(link), mem::replace(&mut waiting, rest))));
            }
            // What they are sent by has its turn, and whoever comes meanwhile goes next.
            tokio::task::yield_now().await;
        }
    }
}

impl<T: Wish> Drop for Sending<T> {
    fn drop(&mut self) {
        if !self.done {
            T::crowd(&self.link).crashed();
        }
    }
}

async fn send<T: Wish>(link: Arc<Link>, waiting: Vec<Waiting<T>>) {
    let up = match link.up().await {
        Ok(up) => up,
        Err(fault) => return waiting.into_iter().for_each(|waiting| waiting.tell(Err(fault.clone()))),
    };
    let answers = match &waiting[..] {
        [] | [_] => Answers::Refused,
        [first, ..] => {
            let keys: Vec<_> = waiting.iter().flat_map(|waiting| waiting.wish.keys()).collect();
            let [_, many] = T::scripts(&link.scripts);
            let call = first.wish.common(Call::new(many, &keys));
            let call = waiting.iter().fold(call, |call, waiting| waiting.wish.each(call));
            link.invoke_many(&up, &call).await
        }
    };
    match answers {
        Answers::Of(each) => {
            // Where there are not as many, the others are told by the end of their channels.
            waiting.into_iter().zip(each).for_each(|(waiting, answer)| waiting.tell(answer));
        }
        Answers::Failed(fault) => {
            waiting.into_iter().for_each(|waiting| waiting.tell(Err(fault.clone())));
        }
        Answers::Refused => {
            for Waiting { wish, answer } in waiting {
                let (link, up) = (Arc::clone(&link), Arc::clone(&up));
                drop(tokio::spawn(async move {
                    drop(answer.send(link.invoke(&up, &wish.alone(&link.scripts)).await));
                }));
            }
        }
    }
}

/// What came of a request for many.
pub(super) enum Answers {
    Of(Vec<Result<Value, Fault>>),
    /// Nothing was done, as one of them may not do it, or the user may not do it together: each has to ask alone.
    Refused,
    Failed(Fault),
}

impl<T> Waiting<T> {
    fn tell(self, answer: Result<Value, Fault>) {
        // Who has gone meanwhile looks after what was sent.
        drop(self.answer.send(answer));
    }
}

impl Link {
    /// Asks alone if nothing else is under way, and together with others otherwise.
    pub(super) async fn ask<T: Wish>(self: &Arc<Self>, up: &Up, wish: T) -> Result<Value, Fault> {
        let under_way = UnderWay::begin(&self.under_way);
        if under_way.is_first || self.is_refused() {
            return self.invoke(up, &wish.alone(&self.scripts)).await;
        }
        let (answer, answered) = oneshot::channel();
        let unanswered = Unanswered::of(self);
        if T::crowd(self).join(Waiting { wish, answer }, up.process) {
            let sending = Sending { link: Arc::clone(self), done: false, of: PhantomData::<T> };
            background::spawn(sending.run()).map_err(Fault::failed)?;
        }
        let answer = answered.await;
        unanswered.answered();
        answer.unwrap_or_else(|_| Err(Fault::failed("the request crashed").maybe_executed()))
    }
}

/// A request that is under way as long as this lives.
struct UnderWay<'a> {
    count: &'a AtomicUsize,
    is_first: bool,
}

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        Self { count, is_first: count.fetch_add(1, Ordering::Relaxed) == 0 }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use redis::{Client, ProtocolVersion};
    use tokio::sync::oneshot::{Receiver, error::TryRecvError};

    use super::*;
    use crate::{
        backends::redis::{address::Address, wish::Give},
        key::Key,
        lease::{Lease, Owner, Ttl},
    };

    type Answered = Receiver<Result<Value, Fault>>;

    fn link() -> Arc<Link> {
        let address = Address::parse("redis", "host", None).unwrap();
        let client = || Client::open(address.to_info(ProtocolVersion::RESP2).unwrap()).unwrap();
        Link::new(address.clone(), client(), client()).unwrap()
    }

    /// Whether it is for who joins to have them sent, and where he is answered.
    fn join(link: &Link) -> (bool, Answered) {
        let lease = Lease::new(Key::from("k"), Owner::from_bits(1), 0, Ttl::DEFAULT);
        let (answer, answered) = oneshot::channel();
        (link.gives.join(Waiting { wish: Give::from(&lease), answer }, 1), answered)
    }

    fn sending(link: &Arc<Link>) -> Sending<Give> {
        Sending { link: Arc::clone(link), done: false, of: PhantomData }
    }

    #[test]
    fn who_joins_after_the_last_was_sent_has_it_begun_anew_and_is_not_dropped_by_the_last() {
        let link = link();
        let ((begins, _first), mut last) = (join(&link), sending(&link));
        assert!(begins);
        assert_eq!(link.gives.next().len(), 1);
        assert!(link.gives.next().is_empty());
        last.done = true;
        let (begins, mut second) = join(&link);
        assert!(begins);
        drop(last);
        assert_eq!(second.try_recv().unwrap_err(), TryRecvError::Empty);
        assert!(!join(&link).0, "somebody is at it");
        assert_eq!(link.gives.next().len(), 2);
    }

    #[test]
    fn who_waits_for_one_who_crashes_is_told() {
        let link = link();
        let (_, mut waiting) = join(&link);
        drop(sending(&link));
        assert_eq!(waiting.try_recv().unwrap_err(), TryRecvError::Closed);
        assert!(join(&link).0, "nobody is at it any more");
    }

    #[test]
    fn a_forked_child_does_not_wait_for_its_parent() {
        let link = link();
        let (_, mut parents) = join(&link);
        let lease = Lease::new(Key::from("k"), Owner::from_bits(1), 0, Ttl::DEFAULT);
        let (answer, _answered) = oneshot::channel();
        assert!(link.gives.join(Waiting { wish: Give::from(&lease), answer }, 2));
        assert_eq!(parents.try_recv().unwrap_err(), TryRecvError::Empty);
        assert_eq!(link.gives.next().len(), 1);
    }
}
