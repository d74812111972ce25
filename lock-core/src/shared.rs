//! Stores that all lockers of a process on one place share, as long as anybody uses them.
//!
//! Two lockers on one URL exclude each other on every store by nature. Sharing makes them one line of waiters, one
//! notification thread, and lets a call that nests in the other's body be told.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// What is shared, by name.
pub(crate) struct Shared<T>(Mutex<Option<HashMap<String, Weak<T>>>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The one of this name, made where there is none.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(shared) = known.get(name).and_then(Weak::upgrade) {
            return shared;
        }
        known.retain(|_, shared| shared.strong_count() > 0);
        let made = Arc::new(make());
        known.insert(name.to_owned(), Arc::downgrade(&made));
        made
    }
}
