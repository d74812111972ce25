//! Keys of models, and the text of their fields.

use std::fmt::Display;

use lock_core::{Error, Key, Lock};

use super::using::Using;
use crate::model::{self, Model, Refresh, RefreshAsync};

/// The key of a model by fields, or by its primary key where none is given.
pub fn model_key<M: Model + ?Sized>(model: &M, name: Option<&str>, fields: &[&str]) -> Result<Key, Error> {
    model::key(model, name, fields)
}

/// The lock of a model; a key that cannot be built is reported when the lock is used.
pub fn model_lock(using: &(impl Using + ?Sized), key: Result<Key, Error>) -> Lock {
    match key {
        Ok(key) => using.lock(key),
        Err(error) => Lock::failed(error),
    }
}

/// The text of a primary key.
pub fn text(value: &(impl Display + ?Sized)) -> String {
    value.to_string()
}

/// [`Refresh`] by method call, so that the borrow is the compiler's to take; a model may have a `reload` of its own.
pub trait Reload: Refresh {
    /// Loads the model again.
    fn __lock_reload(&mut self) -> Result<(), Self::Error> {
        self.refresh()
    }
}

impl<M: Refresh + ?Sized> Reload for M {}

/// The same for [`RefreshAsync`].
pub trait ReloadAsync: RefreshAsync {
    /// Loads the model again.
    fn __lock_reload_async(&mut self) -> impl Future<Output = Result<(), Self::Error>> {
        self.refresh()
    }
}

impl<M: RefreshAsync + ?Sized> ReloadAsync for M {}

/// A field whose text may be asked for; the derive cannot know which types have one.
#[derive(Debug)]
pub struct Value<'a, T: ?Sized>(pub &'a T);

impl<T: Display + ?Sized> Value<'_, T> {
    /// The text of a value that has one.
    pub fn text(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// The text of all other values.
pub trait Text {
    /// None.
    fn text(&self) -> Option<String>;
}

impl<T: ?Sized> Text for Value<'_, T> {
    fn text(&self) -> Option<String> {
        None
    }
}
