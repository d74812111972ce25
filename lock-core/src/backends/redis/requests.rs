//! Requests, each followed to its answer or to the end of its connection.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{FromRedisValue, RedisError, Value, aio::MultiplexedConnection};

use super::{
    checks,
    crowd::Answers,
    fault,
    link::{Link, Up},
    local, names, reply,
    scripts::Call,
    wish::Wish,
};
use crate::{
    backend::Fault,
    backends::on_runtime::Place,
    key::Key,
    lease::{Holder, Owner},
    race::{Either, race},
    signal::Waiting,
};

impl Link {
    /// Runs a script.
    pub(super) async fn invoke<T: FromRedisValue>(&self, up: &Up, call: &Call<'_>) -> Result<T, Fault> {
        let mut connection = up.connection.clone();
        self.follow(up, call.invoke_async(&mut connection)).await
    }

    /// Runs a script for many.
    pub(super) async fn invoke_many(&self, up: &Up, call: &Call<'_>) -> Answers {
        let mut connection = up.connection.clone();
        let mut refused = false;
        let asked = async {
            let answer = call.ask(&mut connection).await;
            refused = answer.as_ref().is_err_and(fault::is_denied);
            answer
        };
        let answers = self.follow(up, asked).await;
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
    pub(super) async fn query<T: FromRedisValue>(&self, up: &Up, command: &redis::Cmd) -> Result<T, Fault> {
        let mut connection = up.connection.clone();
        self.follow(up, command.query_async(&mut connection)).await
    }

    async fn follow<T>(
        &self,
        up: &Up,
        request: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Fault> {
        let unanswered = Unanswered::of(self);
        let answer = race(request, Waiting::new(Arc::clone(&up.ended))).await;
        unanswered.answered();
        let Either::First(answer) = answer else {
            let told =
                format!("{}: the connection was given up, as the server does not answer on it", self.address);
            return Err(Fault::failed(told).maybe_executed());
        };
        answer.map_err(|error| {
            if fault::ends_connection(&error) || checks::is_replica(&error) {
                self.down(up.number);
            }
            fault::of_a_request(&error, &self.address)
        })
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

    /// How an async caller asks by himself: on the connection of his runtime where there is to be one, or else on the
    /// shared one, whose answers come to any executor.
    pub(super) fn here(&self, up: &Up) -> Option<Here> {
        if !self.address.on_runtime {
            return Some(Here::Shared);
        }
        let kept = self.locals.get(up.process, |keeper| local::keep(keeper, self.plain.clone()));
        kept.map(|(place, connection)| Here::Local(place, connection))
    }

    /// Asks there.
    pub(super) async fn ask_here<T: Wish>(
        self: &Arc<Self>,
        up: &Up,
        here: Here,
        wish: T,
    ) -> Result<Value, Fault> {
        let (place, mut connection) = match here {
            Here::Shared => return self.ask(up, wish).await,
            Here::Local(place, connection) => (place, connection),
        };
        let call = wish.alone(&self.scripts);
        let unanswered = Unanswered(Some((self, Some(place))));
        let answer = call.invoke_async(&mut connection).await;
        unanswered.answered();
        answer.map_err(|error| {
            if fault::ends_connection(&error) || checks::is_replica(&error) {
                self.locals.remove(place);
                // The shared connection is to the same server: it has a look.
                self.suspected.notify_one();
            }
            fault::of_a_request(&error, &self.address)
        })
    }

    /// Leaves the line, and gives back what was passed on to this owner and not claimed.
    pub(super) async fn give_up(&self, up: &Up, key: &Key, owner: &Owner, told: &str) -> Result<(), Fault> {
        let call = Call::new(&self.scripts.give_up, &names::all(key)).owner(owner).arg(told);
        self.invoke(up, &call).await
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

/// A connection that an async caller uses by himself.
pub(super) enum Here {
    Shared,
    Local(Place, MultiplexedConnection),
}

impl Here {
    /// Whether it ends with the caller's runtime.
    pub(super) const fn needs_runtime(&self) -> bool {
        matches!(self, Self::Local(..))
    }
}

/// A request whose answer is still to come; dropped before, its connection is looked at.
pub(super) struct Unanswered<'a>(Option<(&'a Link, Option<Place>)>);

impl<'a> Unanswered<'a> {
    /// On the shared connection.
    pub(super) const fn of(link: &'a Link) -> Self {
        Self(Some((link, None)))
    }

    pub(super) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some((link, place)) = self.0 {
            link.suspected.notify_one();
            if let Some(place) = place {
                link.locals.remove(place);
            }
        }
    }
}
