//! Requests, each followed to its answer or to the end of its connection.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{FromRedisValue, RedisError, aio::MultiplexedConnection};

use super::{
    checks, fault,
    link::{Link, Up},
    local::Place,
    names, reply,
    scripts::Call,
};
use crate::{
    backend::Fault,
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
        let unanswered = Unanswered(Some((self, None)));
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

    /// The connection on the runtime of an async caller, where there is to be one.
    pub(super) fn here(&self, up: &Up) -> Option<(Place, MultiplexedConnection)> {
        if self.address.on_runtime { self.locals.get(up.process) } else { None }
    }

    /// Runs a script on it.
    pub(super) async fn invoke_here<T: FromRedisValue>(
        &self,
        (place, mut connection): (Place, MultiplexedConnection),
        call: &Call<'_>,
    ) -> Result<T, Fault> {
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
    pub(super) async fn give_up(&self, up: &Up, key: &Key, owner: &Owner, place: &str) -> Result<(), Fault> {
        let call = Call::new(&self.scripts.give_up, &names::all(key)).arg(owner).arg(place);
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

/// A request whose answer is still to come; dropped before, its connection is looked at.
struct Unanswered<'a>(Option<(&'a Link, Option<Place>)>);

impl Unanswered<'_> {
    fn answered(mut self) {
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
