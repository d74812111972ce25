//! Keys of models, and the text of their fields.

use std::fmt::Display;

use lock_core::Lock;

use super::using::Using;
use crate::model::{self, Model};

/// Checks that a value is a model, so that the message stands at the value.
pub fn model<M: Model + ?Sized>(model: &M) -> &M {
    model
}

/// The lock of a model by fields, or by its primary key where none is given.
pub fn model_lock<M: Model + ?Sized>(
    using: &(impl Using + ?Sized),
    model: &M,
    name: Option<&str>,
    fields: &[&str],
) -> Lock {
    match model::key(model, name, fields) {
        Ok(key) => using.lock(key),
        Err(error) => Lock::failed(error),
    }
}

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
