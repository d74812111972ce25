//! Locks of models, for code that locks by hand.

use std::ops::Deref;
use std::time::Duration;

use lock_core::{Lock, Locker, Owner};

use crate::model::{Model, key};

/// The lock of a model: by its primary key, or by fields.
///
/// ```
/// # use lock::prelude::*;
/// # #[derive(Model)]
/// # #[model(name = "shop:order")]
/// # struct Order { id: u64, bar: String }
/// # let order = Order { id: 7, bar: "abc".to_owned() };
/// let by_pk = lock::lock_model(&order); // shop:order:pk:7
/// let by_field = lock::lock_model(&order).field("bar"); // shop:order:bar:abc
/// # let (_, _) = (by_pk, by_field);
/// ```
///
/// A field that does not exist is reported when the lock is used, by the error of that call.
pub fn lock_model<M: Model + ?Sized>(model: &M) -> ModelLock<'_, M> {
    ModelLock::new(model, None, Vec::new())
}

/// A [`Lock`] that knows its model: what [`lock_model`] returns.
///
/// It is used as a `Lock`: the settings turn it into one, and everything else is reached through `Deref`.
///
/// ```
/// # use lock::Model;
/// # lock::install(lock::Config::new().url("memory://"))?;
/// # #[derive(Model)]
/// # struct Order { id: u64, bar: String }
/// # let order = Order { id: 7, bar: "abc".to_owned() };
/// let guard = lock::lock_model(&order).field("bar").blocking(false).acquire()?; // Order:bar:abc
/// assert!(lock::lock_model(&order).field("bar").is_locked()?);
/// # drop(guard);
/// # Ok::<(), lock::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a lock does nothing until it is acquired"]
pub struct ModelLock<'m, M: ?Sized> {
    model: &'m M,
    name: Option<String>,
    fields: Vec<String>,
    lock: Lock,
}

impl<'m, M: Model + ?Sized> ModelLock<'m, M> {
    fn new(model: &'m M, name: Option<String>, fields: Vec<String>) -> Self {
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let lock = match key(model, name.as_deref(), &names) {
            Ok(key) => crate::lock(key),
            Err(error) => Lock::failed(error),
        };
        Self { model, name, fields, lock }
    }

    /// Locks by this field instead of the primary key; called again, by several.
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.fields.push(name.into());
        Self::new(self.model, self.name, self.fields)
    }

    /// Another first part of the key than the model's name.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self::new(self.model, Some(name.into()), self.fields)
    }

    /// The same lock of another locker.
    pub fn using(self, locker: &Locker) -> Lock {
        let names: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        match key(self.model, self.name.as_deref(), &names) {
            Ok(key) => locker.lock(key),
            Err(error) => Lock::failed(error),
        }
    }
}

macro_rules! settings {
    ($($name:ident($($argument:ident: $type:ty)?);)*) => {
        impl<M: ?Sized> ModelLock<'_, M> {$(
            #[doc = concat!("See [`Lock::", stringify!($name), "`].")]
            pub fn $name(self $(, $argument: $type)?) -> Lock {
                self.lock.$name($($argument)?)
            }
        )*}
    };
}

settings! {
    ttl(ttl: Duration);
    renew(renew: bool);
    blocking(blocking: bool);
    wait(wait: Duration);
    retry(retry: Duration);
    release_on_drop(release: bool);
    owner(owner: Owner);
    shared();
    permits(permits: u32);
    reentrant();
    fair();
}

impl<M: ?Sized> Deref for ModelLock<'_, M> {
    type Target = Lock;

    fn deref(&self) -> &Lock {
        &self.lock
    }
}

impl<M: ?Sized> From<ModelLock<'_, M>> for Lock {
    fn from(lock: ModelLock<'_, M>) -> Self {
        lock.lock
    }
}
