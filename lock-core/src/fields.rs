//! Locks that are named after fields of something.

use crate::{error::Result, key::Key, locker::Locker};

/// Something with fields after which its locks are named; for the models of the facade.
#[doc(hidden)]
pub trait Fields: Send + Sync {
    /// The key by these fields, by its primary key where there are none; under another name than its own if given.
    fn key(&self, name: Option<&str>, fields: &[String]) -> Result<Key>;
}

/// What a lock was named after, so that it can be named after something else.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) locker: Locker,
    pub(crate) after: std::sync::Arc<dyn Fields>,
    pub(crate) name: Option<String>,
    pub(crate) fields: Vec<String>,
}

impl Named {
    pub(crate) fn key(&self) -> Result<Key> {
        self.after.key(self.name.as_deref(), &self.fields)
    }
}
