//! Models: values that know which lock is theirs.

use std::{fmt::Write, rc::Rc, sync::Arc};

use lock_core::{Error, Fields, Key, Lock};

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
/// For models that know where they come from. Where that is an argument, as a connection, no trait is needed:
/// [`refresh = self.reload(db)`](macro@crate::lock_model).
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
pub fn lock_model<M: Model + ?Sized>(model: &M) -> Lock {
    match crate::global() {
        Ok(locker) => locker.lock_by(Arc::new(Snapshot::of(model))),
        Err(error) => Lock::failed(error),
    }
}

/// The texts of a model's fields at one moment: a lock outlives the borrow of its model.
struct Snapshot {
    name: &'static str,
    known: &'static [&'static str],
    pk: String,
    fields: Vec<Option<String>>,
}

impl Snapshot {
    fn of<M: Model + ?Sized>(model: &M) -> Self {
        let fields = M::FIELDS.iter().map(|field| model.field(field)).collect();
        Self { name: M::NAME, known: M::FIELDS, pk: model.pk(), fields }
    }
}

impl Fields for Snapshot {
    fn key(&self, name: Option<&str>, fields: &[String]) -> Result<Key, Error> {
        let text = |field: &str| match field {
            "pk" => Some(self.pk.clone()),
            field => {
                self.known.iter().position(|known| *known == field).and_then(|at| self.fields[at].clone())
            }
        };
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        build(name.unwrap_or(self.name), &fields, text).map_err(|field| unknown(self.name, self.known, field))
    }
}

/// The key of a model: `name:pk:7`, or `name:field:value` for each field.
pub(crate) fn key<M: Model + ?Sized>(model: &M, name: Option<&str>, fields: &[&str]) -> Result<Key, Error> {
    let text = |field: &str| match field {
        "pk" => Some(model.pk()),
        field => model.field(field),
    };
    build(name.unwrap_or(M::NAME), fields, text).map_err(|field| unknown(M::NAME, M::FIELDS, field))
}

/// The field that has no text is the error.
fn build<'a>(name: &str, fields: &[&'a str], text: impl Fn(&str) -> Option<String>) -> Result<Key, &'a str> {
    let mut key = name.to_owned();
    for field in if fields.is_empty() { &["pk"] } else { fields } {
        let value = text(field).ok_or(*field)?;
        let _ = write!(key, ":{field}:{}", Escaped(value, ':'));
    }
    Ok(Key::from(key))
}

fn unknown(model: &str, fields: &[&str], field: &str) -> Error {
    let reason = if fields.contains(&field) { "has no text form (`Display`)" } else { "does not exist" };
    let known = fields.join("`, `");
    Error::config(format!(
        "the field `{field}` of the model `{model}` {reason}; accepted are `pk` and the fields with a text form among `{known}`"
    ))
}
