//! Models: values that know which lock is theirs.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lock_core::{Error, Key, Lock, Locker, Owner};

use crate::private::Escaped;

/// A type whose values have a lock each: a name, a primary key and fields.
///
/// Usually derived:
///
/// ```
/// use lock::prelude::*;
///
/// #[derive(Model)]
/// #[model(name = "shop:order", pk = id)] // the type's name and `id` are the defaults
/// struct Order {
///     id: u64,
///     bar: String,
/// }
///
/// let order = Order { id: 7, bar: "abc".to_owned() };
/// assert_eq!(order.pk(), "7");
/// assert_eq!(order.field("bar").as_deref(), Some("abc"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model, so it has no lock of its own",
    label = "not a `Model`",
    note = "derive it: `#[derive(lock::Model)]`, or implement `lock::Model`"
)]
pub trait Model {
    /// The first part of the model's keys.
    const NAME: &'static str;

    /// The fields that can be part of a key, for error messages.
    const FIELDS: &'static [&'static str];

    /// The primary key, as text.
    fn pk(&self) -> String;

    /// A field as text, or `None` where there is no such field or it has no text form.
    fn field(&self, name: &str) -> Option<String>;
}

/// Loads a model again: what `#[lock_model(refresh)]` calls on a sync method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be reloaded: it does not implement `lock::Refresh`",
    label = "`refresh` needs `lock::Refresh`"
)]
pub trait Refresh {
    /// Why the model could not be loaded; converted into the error of the call.
    type Error;

    /// Replaces the fields by what is stored now.
    fn refresh(&mut self) -> Result<(), Self::Error>;
}

/// Loads a model again: what `#[lock_model(refresh)]` calls on an `async` method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be reloaded in async code: it does not implement `lock::RefreshAsync`",
    label = "`refresh` on an `async fn` needs `lock::RefreshAsync`"
)]
pub trait RefreshAsync {
    /// Why the model could not be loaded; converted into the error of the call.
    type Error;

    /// Replaces the fields by what is stored now. Implementations may write `async fn refresh(&mut self)`.
    fn refresh(&mut self) -> impl Future<Output = Result<(), Self::Error>>;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<M: Model + ?Sized> Model for $pointer {
            const NAME: &'static str = M::NAME;
            const FIELDS: &'static [&'static str] = M::FIELDS;

            fn pk(&self) -> String {
                (**self).pk()
            }

            fn field(&self, name: &str) -> Option<String> {
                (**self).field(name)
            }
        }
    )*};
}

forward!(&M, &mut M, Box<M>, Rc<M>, Arc<M>);

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

/// The key of a model: `name:pk:7`, or `name:field:value` for each field.
pub(crate) fn key<M: Model + ?Sized>(model: &M, name: Option<&str>, fields: &[&str]) -> Result<Key, Error> {
    let mut key = name.unwrap_or(M::NAME).to_owned();
    if fields.is_empty() {
        push(&mut key, "pk", &model.pk());
    }
    for field in fields {
        let value = match *field {
            "pk" => Some(model.pk()),
            field => model.field(field),
        };
        push(&mut key, field, &value.ok_or_else(|| unknown::<M>(field))?);
    }
    Ok(Key::from(key))
}

fn push(key: &mut String, field: &str, value: &str) {
    key.push(':');
    key.push_str(field);
    key.push(':');
    key.push_str(&Escaped(value).to_string());
}

fn unknown<M: Model + ?Sized>(field: &str) -> Error {
    let reason = if M::FIELDS.contains(&field) { "has no text form (`Display`)" } else { "does not exist" };
    let known = M::FIELDS.join("`, `");
    Error::config(format!(
        "the field `{field}` of the model `{}` {reason}; accepted are `pk` and the fields with a text form among `{known}`",
        M::NAME
    ))
}
