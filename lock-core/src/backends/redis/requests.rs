//! Requests, each followed to its answer or to the end of its connection.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::{FromRedisValue, RedisError, Value, aio::MultiplexedConnection};

use super::{
    checks,
    crowd::Answers,
    fault,
    link::{Link, Up},
    local::{self, Local},
    names, reply,
    scripts::Call,
};
use crate::{
    backend::Fault,
    key::Key,
    lease::{Holder, Owner},
    locker::SHORT_LIMIT,
    race::{Either, race},
    signal::Waiting,
};

/// Which connection is asked on.
#[derive(Clone)]
pub(super) enum Way {
    /// The shared one, whose answers come to any executor.
    Shared(Arc<Up>),
    /// That of the caller's runtime.
    Local(Local),
}

impl Way {
    /// Whether it ends with the caller's runtime.
    pub(super) const fn needs_runtime(&self) -> bool {
        matches!(self, Self::Local(..))
    }

    fn connection(&self) -> MultiplexedConnection {
        match self {
            Self::Shared(up) => up.connection.clone(),
            Self::Local(local) => local.connection.clone(),
        }
    }
}

impl Link {
    /// The shared connection, made if there is none.
    pub(super) async fn shared(self: &Arc<Self>) -> Result<Way, Fault> {
        self.up().await.map(Way::Shared)
    }

    /// How an async caller asks by himself: on the connection of his runtime where there is to be one.
    pub(super) fn here(self: &Arc<Self>, up: &Arc<Up>) -> Option<Way> {
        if !self.address.on_runtime {
            return Some(Way::Shared(Arc::clone(up)));
        }
        self.locals.get(up.process, |keeper| local::keep(keeper, Arc::downgrade(self))).map(Way::Local)
    }

    /// Runs a script.
    pub(super) async fn invoke<T: FromRedisValue>(&self, way: &Way, call: &Call<'_>) -> Result<T, Fault> {
        let mut connection = way.connection();
        self.follow(way, call.invoke_async(&mut connection)).await
    }

    /// Runs a script for many.
    pub(super) async fn invoke_many(&self, way: &Way, call: &Call<'_>) -> Answers {
        let mut connection = way.connection();
        let mut refused = false;
        let asked = async {
            let answer = call.ask(&mut connection).await;
            refused = answer.as_ref().is_err_and(fault::is_denied);
            answer
        };
        let answers = self.follow(way, asked).await;
        let of_each = |answer| match answer {
            Value::ServerError(error) => Err(fault::of_a_request(&error.into(), &self.address)),
            answer => Ok(answer),
        };
        match answers {
            Ok(Value::Array(answers)) => Answers::Of(answers.into_iter().map(of_each).collect()),
            Ok(answer) => Answers::Failed(reply::unexpected(&answer, &self.address)),
            Err(_) if refused => {
                self.refused.store(true, Ordering::Relaxed);
                Answers::Refused
            }
            Err(fault) => Answers::Failed(fault),
        }
    }

    /// Whether the user may not ask for many at once.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Sends commands.
    pub(super) async fn query<T: FromRedisValue>(&self, way: &Way, command: &redis::Cmd) -> Result<T, Fault> {
        let mut connection = way.connection();
        self.follow(way, command.query_async(&mut connection)).await
    }

    async fn follow<T>(
        &self,
        way: &Way,
        request: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Fault> {
        let unanswered = Unanswered::of(self, way);
        let answer = match way {
            Way::Shared(up) => race(request, Waiting::new(Arc::clone(&up.ended))).await,
            Way::Local(_) => Either::First(request.await),
        };
        unanswered.answered();
        let Either::First(answer) = answer else {
            let told =
                format!("{}: the connection was given up, as the server does not answer on it", self.address);
            return Err(Fault::failed(told).maybe_executed());
        };
        answer.map_err(|error| {
            if fault::ends_connection(&error) || checks::is_replica(&error) {
                match way {
                    Way::Shared(up) => self.down(up.number),
                    Way::Local(local) => self.suspect(local),
                }
            }
            fault::of_a_request(&error, &self.address)
        })
    }

    /// The connection of a runtime is of no use any more. The shared one is to the same server: it has a look.
    fn suspect(&self, local: &Local) {
        self.locals.remove(local.place);
        self.suspected.notify_one();
    }

    /// Runs a script in the thread of a blocking caller; `None` if that has to be done on the background thread.
    pub(super) fn invoke_blocking<T: FromRedisValue>(
        &self,
        up: &Up,
        call: &Call<'_>,
        limit: Duration,
    ) -> Option<Result<T, Fault>> {
        let answer = self.pool.invoke(call, limit, up.process)?;
        Some(answer.map_err(|error| {
            // The shared connection is to the same server: it has a look.
            self.suspected.notify_one();
            fault::of_a_request(&error, &self.address)
        }))
    }

    /// Leaves the line, and gives back what was passed on to this owner and not claimed.
    pub(super) async fn give_up(&self, way: &Way, key: &Key, owner: &Owner, told: &str) -> Result<(), Fault> {
        let call = Call::new(&self.scripts.give_up, &names::all(key)).owner(owner).arg(told);
        self.invoke(way, &call).await
    }

    /// Says once that a key is something else than a lock: whoever waits for it may wait for ever.
    pub(super) fn note(&self, key: &Key, holder: Option<&Holder>) {
        let foreign = holder.is_some_and(|holder| holder.owner == reply::not_a_lock());
        if foreign && !self.noted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                address = %self.address,
                %key,
                "the key is of a foreign type and no lock; it counts as held, and is left alone"
            );
        }
    }
}

/// A request whose answer is still to come; dropped before, its connection is looked at.
pub(super) struct Unanswered<'a> {
    link: &'a Link,
    /// `None`: it was answered.
    way: Option<&'a Way>,
    /// Since when it is under way together with others, who are not to suffer from one who goes away soon.
    together_since: Option<Instant>,
}

impl<'a> Unanswered<'a> {
    pub(super) const fn of(link: &'a Link, way: &'a Way) -> Self {
        Self { link, way: Some(way), together_since: None }
    }

    /// Of one who is sent together with others.
    pub(super) fn together(link: &'a Link, way: &'a Way) -> Self {
        Self { link, way: Some(way), together_since: Some(Instant::now()) }
    }

    pub(super) fn answered(mut self) {
        self.way = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        match self.way {
            Some(Way::Shared(_)) => self.link.suspected.notify_one(),
            Some(Way::Local(local))
                if self.together_since.is_none_or(|since| since.elapsed() > SHORT_LIMIT / 2) =>
            {
                self.link.suspect(local);
            }
            Some(Way::Local(_)) | None => {}
        }
    }
}
