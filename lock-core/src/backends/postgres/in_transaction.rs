//! Locks that last as long as a transaction.
//!
//! The row of the key is locked by the transaction and written as released already: until the commit nobody else can
//! take it, from the commit on everybody can, and nobody sees the lock free before he sees what was written under it.
//!
//! What may interleave: a lease ends while the transaction asks (its row is looked at again when it is locked); two
//! transactions ask at once (one skips the row that the other has locked, and asks again); the row is removed, as one that
//! nobody uses, before the transaction has locked it (it is made again, and stays, as it is a new one then); the caller goes
//! away while he waits (his place in line is given up, and his transaction, rolled back by its drop, lets go of the row).

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row as _};

use super::{Postgres, fault, server::Server};
use crate::{
    backend::{Attempt, Backend, Fault, Request},
    backends::sql::{Failed, Names, Values},
    background,
    lease::{FencingToken, Holder},
    locker::{CALL_LIMIT, limited},
    race::race,
    wait::{Retry, after_expiry},
};

/// Between two looks at a key that is free, but that another transaction keeps.
const KEPT_BY_ANOTHER: Duration = Duration::from_millis(25);

/// What came of it.
pub(crate) enum Outcome {
    Had(FencingToken),
    /// Not within the time to wait.
    Refused(Option<Box<Holder>>),
}

/// Takes the key for the transaction that `connection` is in, and waits for it until `deadline`.
///
/// # Errors
/// What the database says; if it said so in the transaction, that is at its end.
pub(crate) async fn acquire(
    postgres: &Postgres,
    request: &Request,
    deadline: Option<Instant>,
    retry: Retry,
    connection: &mut PgConnection,
) -> Result<Outcome, Fault> {
    let place = make_row(postgres, request).await?;
    let mut made_again = false;
    let mut waits = None;
    let mut watch = None;
    loop {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let looked = take(postgres, request, connection).await?;
        if !looked.known && looked.sees_others && looked.place == place && !made_again {
            made_again = true;
            make_row(postgres, request).await?;
            continue;
        }
        if let Some(token) = token(&looked, &place, postgres.database())? {
            return Ok(Outcome::Had(token));
        }
        let rows = (postgres.clone(), request.clone());
        waits.get_or_insert_with(|| Waits(rows.0.clone(), rows.1.clone()));
        let attempt = on_background(async move { rows.0.stand_in_line(&rows.1).await }).await?;
        let Some(Attempt::Held { holder, free_in }) = attempt else {
            if late {
                return Ok(Outcome::Refused(None));
            }
            pause(KEPT_BY_ANOTHER, deadline).await?;
            continue;
        };
        if late {
            return Ok(Outcome::Refused(holder));
        }
        if watch.is_none() {
            let rows = (postgres.clone(), request.clone());
            watch = Some(on_background(async move { rows.0.watch(&rows.1).await }).await?);
        }
        let until_free = free_in.map_or(Duration::MAX, after_expiry);
        match &mut watch {
            Some(Some(told)) => drop(race(told.next(), pause(until_free.min(CALL_LIMIT), deadline)).await),
            _ => pause(until_free.min(retry.jittered()), deadline).await?,
        }
    }
}

/// Returns which table it is in.
async fn make_row(postgres: &Postgres, request: &Request) -> Result<String, Fault> {
    let rows = (postgres.clone(), request.clone());
    on_background(async move {
        let names = Names::of(&rows.1);
        rows.0.database().make_row(&rows.0.values(&names, &rows.1)).await
    })
    .await
}

/// Takes the key if it is free.
async fn take(
    postgres: &Postgres,
    request: &Request,
    connection: &mut PgConnection,
) -> Result<Looked, Fault> {
    let server = postgres.database();
    let failed = |error| fault::of(&Failed::Asking(error), &server.wire.address);
    let names = Names::of(request);
    let channel = server.wire.channel();
    let values = Values { channel: &channel, ..postgres.values(&names, request) };
    run(server, &values, connection).await.map_err(failed)
}

fn token(looked: &Looked, place: &str, server: &Server) -> Result<Option<FencingToken>, Fault> {
    let Looked { token, known, sees_others, .. } = *looked;
    if looked.place != place {
        return Err(Fault::failed(format!(
            "{}: the transaction is on another server, database or schema than the locker: its table of leases is another one",
            server.wire.address
        ))
        .permanent());
    }
    if !known {
        return Err(Fault::failed(format!(
            "{}: the transaction does not see the row of the key: it has an isolation level above READ COMMITTED and began \
             before the key was first used",
            server.wire.address
        ))
        .permanent());
    }
    if token.is_none() && !sees_others {
        return Err(Fault::failed(format!(
            "{}: the key is not free as the transaction sees it, which at its isolation level stays so; accepted is READ \
             COMMITTED, or a key that is free when the transaction begins",
            server.wire.address
        ))
        .permanent());
    }
    let wrong = |_| Fault::failed("the table holds a fencing token that is none").permanent();
    token.map(|token| u64::try_from(token).map_err(wrong)).transpose()
}

/// What the transaction sees.
struct Looked {
    token: Option<i64>,
    /// The row of the key is there.
    known: bool,
    /// Which table that is in.
    place: String,
    /// What others commit from now on is seen.
    sees_others: bool,
}

async fn run(
    server: &Server,
    values: &Values<'_>,
    connection: &mut PgConnection,
) -> Result<Looked, sqlx::Error> {
    // Not kept: a pooler may give the connection to somebody else after the transaction.
    let query = server.take_in_transaction.with(values).persistent(false);
    let row = query.fetch_one(connection).await?;
    Ok(Looked {
        token: row.try_get(0)?,
        known: row.try_get(1)?,
        place: row.try_get(2)?,
        sees_others: row.try_get(3)?,
    })
}

/// A place in line that is given up, had or not.
struct Waits(Postgres, Request);

impl Drop for Waits {
    fn drop(&mut self) {
        let (rows, request) = (self.0.clone(), self.1.clone());
        let leaving = background::spawn_before_exit(async move {
            let left = limited(CALL_LIMIT, rows.give_up(&request)).await;
            if let Err(error) = left {
                tracing::debug!(key = %request.key, %error, "could not leave the line");
            }
        });
        drop(leaving);
    }
}

async fn on_background<T: Send + 'static>(
    job: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let done = background::spawn(async move { limited(CALL_LIMIT, job).await }).map_err(Fault::failed)?;
    done.await.unwrap_or_else(|crashed| Err(Fault::failed(crashed).maybe_executed()))
}

/// On any executor.
async fn pause(pause: Duration, deadline: Option<Instant>) -> Result<(), Fault> {
    let until = Instant::now() + pause;
    let alarm = background::alarm(deadline.map_or(until, |deadline| deadline.min(until)));
    drop(alarm.map_err(Fault::failed)?.await);
    Ok(())
}
