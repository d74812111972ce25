//! Who holds a lock, and how to take it from whoever it is.

use std::sync::Arc;

use super::Lock;
use crate::{
    backends::memory,
    background,
    error::Result,
    lease::Holder,
    locker::{self, Store},
    park,
};

impl Lock {
    /// Whether anybody holds it now. By the time you read the answer it may have changed.
    ///
    /// # Errors
    /// [`Error::Backend`](crate::Error::Backend) if the store does not answer.
    pub fn is_locked(&self) -> Result<bool> {
        Ok(self.holder()?.is_some())
    }

    /// [`is_locked`](Self::is_locked), in async code.
    ///
    /// # Errors
    /// As [`is_locked`](Self::is_locked).
    pub async fn is_locked_async(&self) -> Result<bool> {
        Ok(self.holder_async().await?.is_some())
    }

    /// Who holds it now.
    ///
    /// # Errors
    /// [`Error::Backend`](crate::Error::Backend) if the store does not answer.
    pub fn holder(&self) -> Result<Option<Holder>> {
        park::block_on(self.holder_async())
    }

    /// [`holder`](Self::holder), in async code.
    ///
    /// # Errors
    /// As [`holder`](Self::holder).
    pub async fn holder_async(&self) -> Result<Option<Holder>> {
        let target = self.target()?;
        match target.locker.store() {
            Store::Memory(queue) => Ok(memory::holder(queue, &target.key)),
            Store::Backend(_, backend) => {
                let (backend, key) = (Arc::clone(backend), target.key().clone());
                locker::call(target.key(), "find the holder of", async move { backend.holder(&key).await })
                    .await
            }
        }
    }

    /// Frees it, whoever holds it: for people, when a holder hangs. Its guard is told of the loss when it next asks
    /// the store, or at its deadline.
    ///
    /// `false`: nobody held it.
    ///
    /// # Errors
    /// [`Error::Backend`](crate::Error::Backend) if the store does not answer.
    pub fn force_release(&self) -> Result<bool> {
        park::block_on(self.force_release_async())
    }

    /// [`force_release`](Self::force_release), in async code.
    ///
    /// # Errors
    /// As [`force_release`](Self::force_release).
    pub async fn force_release_async(&self) -> Result<bool> {
        let target = self.target()?;
        match target.locker.store() {
            Store::Memory(queue) => Ok(queue.expel(&target.key, None)),
            Store::Backend(_, backend) => {
                let (backend, key) = (Arc::clone(backend), target.key().clone());
                let forced = locker::call(target.key(), "force the release of", async move {
                    backend.force_release(&key).await
                })
                .await?;
                // A guard of this process is told at once.
                background::schedule()?.hurry(|hold| hold.is_of(target));
                Ok(forced)
            }
        }
    }
}
