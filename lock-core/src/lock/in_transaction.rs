//! Locks that end with a transaction.

use std::any::Any;

use sqlx::{PgConnection, Postgres as Database, Transaction};

use super::{Lock, Target};
use crate::{
    acquire,
    backend::Request,
    backends::{
        Postgres,
        postgres::{Outcome, acquire_in},
    },
    error::{Error, Result},
    lease::{FencingToken, Owner},
    locker::Store,
    wait::Patience,
};

impl Lock {
    /// Waits for the lock as it is set up, and holds it until the transaction ends, on `postgres://` only.
    ///
    /// The lock is released by the commit itself: nobody has it before what was written under it can be seen, and a rolled
    /// back transaction has never had it. There is no guard, no ttl and no renewal; the lock lasts as long as the
    /// transaction, and ends with its connection. It excludes, and is excluded by, all other locks of the key, except that
    /// it cannot be released by force.
    ///
    /// ```no_run
    /// # async fn pay(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use lock_core::Locker;
    ///
    /// let locker = Locker::open("postgres://app:secret@db.example/shop")?;
    /// let mut transaction = pool.begin().await?;
    /// let token = locker.lock("invoices").acquire_in(&mut transaction).await?;
    /// sqlx::query("INSERT INTO invoices (number) SELECT max(number) + 1 FROM invoices")
    ///     .execute(&mut *transaction)
    ///     .await?;
    /// transaction.commit().await?; // and nobody else has read max(number) in between
    /// # drop(token);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The transaction is one of sqlx 0.9, on the database of the locker, at the isolation level READ COMMITTED: above it, a
    /// key that is not free at once is an error, as the transaction would not see its release. The row of the key stays
    /// locked meanwhile: keep the transaction short. Inside of a savepoint, the lock ends if that is rolled back. Asked for
    /// again in the same transaction, it is had again, under a new token. Two transactions that want each other's keys wait
    /// for each other, and the database does not see that: take keys in one order, or wait for a limited time.
    ///
    /// The token is for what this transaction writes: that of a transaction that is rolled back may be given out again.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), and [`Error::Unsupported`] on every other store. After [`Error::Backend`] the
    /// transaction may have to be rolled back.
    pub async fn acquire_in(&self, transaction: &mut Transaction<'_, Database>) -> Result<FencingToken> {
        let target = self.target()?;
        acquire::check(target, &self.options)?;
        let postgres = in_postgres(target)?;
        let owner = self.options.owner.clone().map_or_else(Owner::random, Ok)?;
        let mut request = Request::exclusive(target.key().clone(), owner, self.options.ttl);
        request.give_way = self.options.patience != Patience::None;
        let deadline = self.options.patience.deadline();
        let connection: &mut PgConnection = transaction;
        let outcome = acquire_in(postgres, &request, deadline, self.options.retry, connection).await;
        match outcome.map_err(|fault| fault.into_error(target.key(), "acquire"))? {
            Outcome::Had(token) => Ok(token),
            Outcome::Refused(holder) if request.give_way => {
                Err(acquire::timeout(target, &self.options, holder))
            }
            Outcome::Refused(holder) => Err(Error::Locked { key: request.key, holder }),
        }
    }

    /// One attempt to hold the lock until the transaction ends, on `postgres://` only. `None`: somebody else has it.
    ///
    /// # Errors
    /// As [`acquire_in`](Self::acquire_in), less that it is held.
    pub async fn try_acquire_in(
        &self,
        transaction: &mut Transaction<'_, Database>,
    ) -> Result<Option<FencingToken>> {
        match self.clone().blocking(false).acquire_in(transaction).await {
            Ok(token) => Ok(Some(token)),
            Err(Error::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn in_postgres(target: &Target) -> Result<&Postgres> {
    let found = match target.locker.store() {
        Store::Backend(_, backend) => {
            let backend: &dyn Any = &**backend;
            backend.downcast_ref()
        }
        Store::Memory(_) => None,
    };
    found.ok_or_else(|| {
        Error::unsupported("a lock lives in a transaction on postgres:// only, not in mode=advisory")
    })
}
