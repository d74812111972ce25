//! Models: values that know which lock is theirs.

use std::rc::Rc;
use std::sync::Arc;

use lock_core::{Error, Key};

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
///
/// ```
/// use lock::{Model, Refresh, lock_model};
///
/// # lock::install(lock::Config::new().url("memory://"))?;
/// # fn load(id: u64) -> std::io::Result<u32> { Ok(3) }
/// #[derive(Model)]
/// struct Order {
///     id: u64,
///     items: u32,
/// }
///
/// impl Refresh for Order {
///     type Error = std::io::Error;
///
///     fn refresh(&mut self) -> std::io::Result<()> {
///         self.items = load(self.id)?;
///         Ok(())
///     }
/// }
///
/// impl Order {
///     #[lock_model(refresh)]
///     fn settle(&mut self) -> std::io::Result<u32> {
///         Ok(self.items) // as it is now, and nobody else changes it meanwhile
///     }
/// }
///
/// assert_eq!(Order { id: 7, items: 0 }.settle().unwrap(), 3);
/// # Ok::<(), lock::Error>(())
/// ```
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
///
/// ```
/// use lock::RefreshAsync;
///
/// # async fn load(id: u64) -> std::io::Result<u32> { Ok(3) }
/// struct Order {
///     id: u64,
///     items: u32,
/// }
///
/// impl RefreshAsync for Order {
///     type Error = std::io::Error;
///
///     async fn refresh(&mut self) -> std::io::Result<()> {
///         self.items = load(self.id).await?;
///         Ok(())
///     }
/// }
/// ```
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
