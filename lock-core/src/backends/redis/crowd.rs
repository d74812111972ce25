//! Requests of one process that come while others are under way are sent together: many in one script cost the server
//! half of what they cost one by one, and the process one system call.
//!
//! What may interleave: requests come from any thread while those before them are being sent. Whoever finds nobody at it
//! has the background thread send what waits, until nothing does; under one lock, so that no request is left behind. On the
//! connection of a runtime, whoever keeps it does so: where he has ended, each is told to ask elsewhere. Each
//! is answered once, also if who sends crashes: then with an error that says that it may have been executed. Who has
//! gone before his request is sent is left out.

use std::{
    collections::VecDeque,
    marker::PhantomData,
    mem,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::Value;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
    time::timeout,
};

use super::{
    link::Link,
    local::Local,
    requests::{Unanswered, Way},
    scripts::Call,
    wish::{Give, Take, Wish},
};
use crate::{
    backend::Fault,
    background,
    locker::SHORT_LIMIT,
    sync::{self, Mutex},
};

/// How many are sent in one at most, for the server to serve others in between, and for process and server to work at the
/// same time. Of 64 tasks' pairs, 8 in one cost up to a sixth more time, and 32 up to a fifth.
const MOST: usize = 16;

/// How long the turn of others to be told is waited for: on a busy runtime it may be long.
const TURN: Duration = Duration::from_millis(2);

/// Those who ask on one connection.
#[derive(Default)]
pub(super) struct Crowds {
    pub(super) takes: Crowd<Take>,
    pub(super) gives: Crowd<Give>,
    /// How many requests are under way.
    under_way: AtomicUsize,
    /// Somebody waits to be sent by whoever keeps the connection.
    wanted: Notify,
}

/// Those who wait to be sent.
pub(super) struct Crowd<T>(Mutex<State<T>>);

struct State<T> {
    process: u32,
    waiting: VecDeque<Waiting<T>>,
    served: Served,
}

/// Whether somebody is at sending them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    NotYet,
    Now,
    /// Nobody ever will be.
    NoMore,
}

struct Waiting<T> {
    wish: T,
    answer: oneshot::Sender<Result<Value, Fault>>,
}

impl<T> Default for Crowd<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            process: std::process::id(),
            waiting: VecDeque::new(),
            served: Served::NotYet,
        }))
    }
}

impl<T: Wish> Crowd<T> {
    /// Returns how it stood before. Where nobody will be at it any more, one is not let in.
    fn join(&self, waiting: Waiting<T>, process: u32) -> Served {
        let mut state = sync::lock(&self.0);
        if state.process != process {
            // A forked child: who was at it is in its parent, and so are those who waited.
            mem::forget(mem::take(&mut state.waiting));
            (state.process, state.served) = (process, Served::NotYet);
        }
        let served = state.served;
        if served != Served::NoMore {
            state.waiting.push_back(waiting);
            state.served = Served::Now;
        }
        served
    }

    /// Those to be sent next, in one; nobody is at it any more if there are none.
    ///
    /// Whoever sends them lets others have their turn before he asks again: so the server answers one after the other, and works
    /// while this process does.
    fn next(&self) -> Vec<Waiting<T>> {
        let (mut state, mut together) = (sync::lock(&self.0), Vec::<Waiting<T>>::new());
        while let Some(next) = state.waiting.pop_front_if(|next| {
            next.answer.is_closed()
                || together.len() < MOST
                    && together.first().is_none_or(|first| first.wish.goes_with(&next.wish))
        }) {
            if !next.answer.is_closed() {
                together.push(next);
            }
        }
        if together.is_empty() && state.served == Served::Now {
            state.served = Served::NotYet;
        }
        together
    }

    /// Nobody is at it any more. Returns who waits.
    fn ended(&self, served: Served) -> VecDeque<Waiting<T>> {
        let mut state = sync::lock(&self.0);
        state.served = served;
        mem::take(&mut state.waiting)
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
        while begin::<T>(&self.link, None) {
            // What they are sent by has its turn, and whoever comes meanwhile goes next.
            tokio::task::yield_now().await;
        }
        self.done = true;
    }
}

impl<T: Wish> Drop for Sending<T> {
    fn drop(&mut self) {
        if !self.done {
            // Who waits is told by the end of his channel.
            drop(T::crowd(&self.link.crowds).ended(Served::NotYet));
        }
    }
}

/// Sends what waits on the connection of a runtime, for as long as the task lasts that keeps it.
pub(super) async fn attend(local: &Local, link: &Weak<Link>) {
    let crowds = &local.crowds;
    let _attending = Attending(crowds);
    loop {
        crowds.wanted.notified().await;
        let Some(link) = link.upgrade() else { return };
        while begin::<Take>(&link, Some(local)) | begin::<Give>(&link, Some(local)) {
            tokio::task::yield_now().await;
        }
    }
}

/// However it ends, who was not sent yet asks elsewhere.
struct Attending<'a>(&'a Crowds);

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        send_elsewhere::<Take>(self.0);
        send_elsewhere::<Give>(self.0);
    }
}

fn send_elsewhere<T: Wish>(crowds: &Crowds) {
    for waiting in T::crowd(crowds).ended(Served::NoMore) {
        waiting.tell(Err(Fault::elsewhere()));
    }
}

/// Begins to send those who are next, by the connection of a runtime or else by the shared one. Returns whether anybody waited.
fn begin<T: Wish>(link: &Arc<Link>, local: Option<&Local>) -> bool {
    let crowds = local.map_or(&link.crowds, |local| &local.crowds);
    let waiting = T::crowd(crowds).next();
    if waiting.is_empty() {
        return false;
    }
    let sending = send(Arc::clone(link), local.cloned(), waiting);
    if local.is_some() {
        // It goes on after who keeps the connection, for as long as anybody may wait for it.
        drop(tokio::spawn(timeout(SHORT_LIMIT, sending)));
    } else {
        drop(tokio::spawn(sending));
    }
    true
}

/// Sends some in one, by a connection or else by the shared one.
async fn send<T: Wish>(link: Arc<Link>, local: Option<Local>, mut waiting: Vec<Waiting<T>>) {
    let way = match local {
        Some(local) => Ok(Way::Local(local)),
        None => link.shared().await,
    };
    let way = match way {
        Ok(way) => way,
        Err(fault) => return waiting.into_iter().for_each(|waiting| waiting.tell(Err(fault.clone()))),
    };
    waiting.retain(|waiting| !waiting.answer.is_closed());
    let answers = match &waiting[..] {
        [] | [_] => Answers::Refused,
        [first, ..] => {
            let keys: Vec<_> = waiting.iter().flat_map(|waiting| waiting.wish.keys()).collect();
            let [_, many] = T::scripts(&link.scripts);
            let call = first.wish.common(Call::new(many, &keys));
            let call = waiting.iter().fold(call, |call, waiting| waiting.wish.each(call));
            link.invoke_many(&way, &call).await
        }
    };
    match answers {
        Answers::Of(each) => {
            // Where there are not as many, the others are told by the end of their channels.
            let tell = || waiting.into_iter().zip(each).for_each(|(waiting, answer)| waiting.tell(answer));
            let Way::Local(Local { telling: Some(telling), .. }) = &way else { return tell() };
            let _turn = timeout(TURN, telling.lock()).await;
            tell();
            tokio::task::yield_now().await;
        }
        Answers::Failed(fault) => {
            waiting.into_iter().for_each(|waiting| waiting.tell(Err(fault.clone())));
        }
        Answers::Refused => {
            let mut alone = JoinSet::new();
            for Waiting { wish, answer } in waiting {
                let (link, way) = (Arc::clone(&link), way.clone());
                alone.spawn(async move {
                    drop(answer.send(link.invoke(&way, &wish.alone(&link.scripts)).await));
                });
            }
            while alone.join_next().await.is_some() {}
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
    pub(super) async fn ask<T: Wish>(self: &Arc<Self>, way: &Way, wish: T) -> Result<Value, Fault> {
        let (crowds, process) = match way {
            Way::Shared(up) => (&self.crowds, up.process),
            Way::Local(local) => (&*local.crowds, local.process),
        };
        let under_way = UnderWay::begin(&crowds.under_way);
        if under_way.is_first || self.is_refused() {
            return self.invoke(way, &wish.alone(&self.scripts)).await;
        }
        let (answer, answered) = oneshot::channel();
        let unanswered = Unanswered::together(self, way);
        match (T::crowd(crowds).join(Waiting { wish, answer }, process), way) {
            (Served::NotYet, Way::Shared(_)) => {
                let sending = Sending { link: Arc::clone(self), done: false, of: PhantomData::<T> };
                background::spawn(sending.run()).map_err(Fault::failed)?;
            }
            (Served::NotYet, Way::Local(_)) => crowds.wanted.notify_one(),
            (Served::Now, _) => {}
            (Served::NoMore, _) => {
                unanswered.answered();
                return Err(Fault::elsewhere());
            }
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
        backends::redis::{address::Address, wish::Stands},
        key::Key,
        lease::{Lease, Owner, Ttl},
    };

    type Answered = Receiver<Result<Value, Fault>>;

    fn link() -> Arc<Link> {
        let address = Address::parse("redis", "host", None).unwrap();
        let client = || Client::open(address.to_info(ProtocolVersion::RESP2).unwrap()).unwrap();
        Link::new(address.clone(), client(), client()).unwrap()
    }

    /// Whether somebody is at it, and where who joins is answered.
    fn join(link: &Link) -> (Served, Answered) {
        let lease = Lease::new(Key::from("k"), Owner::from_bits(1), 0, Ttl::DEFAULT);
        let (answer, answered) = oneshot::channel();
        (link.crowds.gives.join(Waiting { wish: Give::from(&lease), answer }, 1), answered)
    }

    fn sending(link: &Arc<Link>) -> Sending<Give> {
        Sending { link: Arc::clone(link), done: false, of: PhantomData }
    }

    #[test]
    fn who_joins_after_the_last_was_sent_has_it_begun_anew_and_is_not_dropped_by_the_last() {
        let link = link();
        let ((served, _first), mut last) = (join(&link), sending(&link));
        assert_eq!(served, Served::NotYet);
        assert_eq!(link.crowds.gives.next().len(), 1);
        assert!(link.crowds.gives.next().is_empty());
        last.done = true;
        let (served, mut second) = join(&link);
        assert_eq!(served, Served::NotYet);
        drop(last);
        assert_eq!(second.try_recv().unwrap_err(), TryRecvError::Empty);
        let (served, _third) = join(&link);
        assert_eq!(served, Served::Now, "somebody is at it");
        assert_eq!(link.crowds.gives.next().len(), 2);
    }

    #[test]
    fn so_many_are_sent_in_one_and_those_who_have_gone_are_left_out() {
        let link = link();
        let mut answered: Vec<_> = (0..2 * MOST).map(|_| Some(join(&link).1)).collect();
        (answered[0], answered[MOST], answered[2 * MOST - 1]) = (None, None, None);
        let next = || link.crowds.gives.next().len();
        assert_eq!([next(), next(), next()], [MOST, MOST - 3, 0]);
        drop(join(&link));
        assert_eq!(link.crowds.gives.next().len(), 0);
        assert_eq!(join(&link).0, Served::NotYet, "nobody is at it any more");
    }

    #[test]
    fn those_who_are_told_elsewhere_are_not_sent_together() {
        let link = link();
        let take = |told: &str| Take {
            key: Key::from("k"),
            owner: Owner::from_bits(1),
            ttl: Ttl::DEFAULT.get(),
            reserve: 1,
            whom: "".into(),
            told: told.into(),
            stands: Stands::NotYet,
        };
        let answered: Vec<_> = ["here", "here", "there", "here"]
            .map(|told| {
                let (answer, answered) = oneshot::channel();
                link.crowds.takes.join(Waiting { wish: take(told), answer }, 1);
                answered
            })
            .into();
        let next = || link.crowds.takes.next().len();
        assert_eq!([next(), next(), next(), next()], [2, 1, 1, 0]);
        drop(answered);
    }

    #[test]
    fn who_waits_for_one_who_crashes_is_told() {
        let link = link();
        let (_, mut waiting) = join(&link);
        drop(sending(&link));
        assert_eq!(waiting.try_recv().unwrap_err(), TryRecvError::Closed);
        assert_eq!(join(&link).0, Served::NotYet, "nobody is at it any more");
    }

    #[test]
    fn a_forked_child_does_not_wait_for_its_parent() {
        let link = link();
        let (_, mut parents) = join(&link);
        let lease = Lease::new(Key::from("k"), Owner::from_bits(1), 0, Ttl::DEFAULT);
        let (answer, _answered) = oneshot::channel();
        let waiting = Waiting { wish: Give::from(&lease), answer };
        assert_eq!(link.crowds.gives.join(waiting, 2), Served::NotYet);
        assert_eq!(parents.try_recv().unwrap_err(), TryRecvError::Empty);
        assert_eq!(link.crowds.gives.next().len(), 1);
    }

    #[test]
    fn who_was_not_sent_when_the_connection_ended_asks_elsewhere_and_so_does_who_comes_later() {
        let link = link();
        let (_, mut waiting) = join(&link);
        drop(Attending(&link.crowds));
        assert!(waiting.try_recv().unwrap().unwrap_err().is_elsewhere());
        assert_eq!(join(&link).0, Served::NoMore);
        // Nobody has ever joined these.
        let unused = Crowds::default();
        drop(Attending(&unused));
        let lease = Lease::new(Key::from("k"), Owner::from_bits(1), 0, Ttl::DEFAULT);
        let waiting = Waiting { wish: Give::from(&lease), answer: oneshot::channel().0 };
        assert_eq!(unused.gives.join(waiting, std::process::id()), Served::NoMore);
        assert!(link.crowds.gives.next().is_empty());
    }
}
