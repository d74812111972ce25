//! What a call returns when its body did not run, or not to its end: decided by the return type.
//!
//! An inherent method is found before a trait's, so `Outcome::<R>::new().refused(error)` means "the error" for results and
//! "a panic" for all other types, aliases included.

use std::marker::PhantomData;

use lock_core::Error;

/// The return type of a call.
#[derive(Debug)]
pub struct Outcome<R>(PhantomData<fn() -> R>);

impl<R> Outcome<R> {
    /// The outcome of a call that returns `R`.
    #[expect(clippy::new_without_default, reason = "only expansions call it")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Outcome<Result<T, E>> {
    /// The error of a call that was refused. The bound stands here: on the impl, a missing `From` would pick the panic.
    pub fn refused(self, error: Error) -> Result<T, E>
    where
        Result<T, E>: CarriesError,
    {
        <Result<T, E> as CarriesError>::refused(error)
    }
}

impl<T, E: From<Error>> Outcome<Result<T, E>> {
    /// How a loss is told, where the type can.
    pub fn on_lost(self) -> Option<fn(Error) -> Result<T, E>> {
        Some(|error| Err(error.into()))
    }
}

/// All other types: a call without its lock panics.
pub trait Refuse<R> {
    /// Panics with the key and the cause.
    fn refused(self, error: Error) -> R;
}

impl<R> Refuse<R> for Outcome<R> {
    #[track_caller]
    fn refused(self, error: Error) -> R {
        refuse(&error)
    }
}

/// All other types: a loss cannot be told, so the body runs on.
pub trait NoLoss<R> {
    /// None.
    fn on_lost(self) -> Option<fn(Error) -> R>;
}

impl<R> NoLoss<R> for Outcome<R> {
    fn on_lost(self) -> Option<fn(Error) -> R> {
        None
    }
}

/// The documented panic of a function that cannot return an error.
///
/// # Panics
/// Always.
#[track_caller]
#[expect(clippy::panic, reason = "the body never runs without its lock, and the type cannot say why")]
pub fn refuse(error: &Error) -> ! {
    match error.key() {
        Some(key) => panic!("the lock `{key}` was not acquired: {error}"),
        None => panic!("the lock was not acquired: {error}"),
    }
}

/// The value of `otherwise`; a function, so that the closure knows the type of its argument.
pub fn otherwise<R>(error: Error, value: impl FnOnce(Error) -> R) -> R {
    value(error)
}

/// A body that is not cancelled.
pub fn keep_running<R>() -> Option<fn(Error) -> R> {
    None
}

/// A body that is cancelled, and whose type tells the loss.
pub fn cancel<R: CarriesLoss>() -> Option<fn(Error) -> R> {
    Some(R::lost)
}

/// A cancelled body with `otherwise`: the type's own way to tell a loss, or the closure's value.
pub fn lost_or<R>(
    carried: Option<fn(Error) -> R>,
    value: impl FnOnce(Error) -> R,
) -> Option<impl FnOnce(Error) -> R> {
    Some(move |error| match carried {
        Some(carried) => carried(error),
        None => value(error),
    })
}

/// A `Result` whose error can be a [`lock::Error`](Error), asked for by any `#[lock]`.
#[diagnostic::on_unimplemented(
    message = "the error of `{Self}` cannot be made from `lock::Error`",
    label = "returned when the lock was not acquired",
    note = "implement `From<lock::Error>` for the error type, or say what to return: `otherwise = |error| ..`"
)]
pub trait CarriesError {
    /// The error as a value of this type.
    fn refused(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> CarriesError for Result<T, E> {
    fn refused(error: Error) -> Self {
        Err(error.into())
    }
}

/// A type that can say "the lock was not had", asked for by `blocking = false` and `wait`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that the lock was not acquired",
    label = "with `blocking = false` or `wait`, the call may end without having run",
    note = "return `Result<T, E>` where `E: From<lock::Error>`, or say what to return: `otherwise = |error| ..`"
)]
pub trait Carries {
    /// The error as a value of this type.
    fn refused(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Carries for Result<T, E> {
    fn refused(error: Error) -> Self {
        Err(error.into())
    }
}

/// A type that can say "the lease was lost", asked for by `on_lost = "cancel"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that the lease was lost",
    label = "with `on_lost = \"cancel\"`, the body may be cancelled half-way",
    note = "return `Result<T, E>` where `E: From<lock::Error>`, or say what to return: `otherwise = |error| ..`"
)]
pub trait CarriesLoss {
    /// The error as a value of this type.
    fn lost(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> CarriesLoss for Result<T, E> {
    fn lost(error: Error) -> Self {
        Err(error.into())
    }
}

/// A type that can carry the error of a reload, asked for by `refresh`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry the error of `refresh`",
    label = "returned when the model could not be reloaded",
    note = "return `Result<T, E>` where `E: From<{X}>`"
)]
pub trait CarriesRefresh<X> {
    /// The error as a value of this type.
    fn refused(error: X) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, X, E: From<X>> CarriesRefresh<X> for Result<T, E> {
    fn refused(error: X) -> Self {
        Err(error.into())
    }
}

/// A value that is not a future in disguise: the lock would be released before it ran.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a future, and the lock would be released before it runs",
    label = "a function that returns a future is guarded where the future is made",
    note = "make it an `async fn` that awaits it, or end the body in `Box::pin(async move {{ .. }})` and name the type as `Pin<Box<dyn Future<Output = T>>>`"
)]
pub trait NotAFuture {}

impl<R: Future> Outcome<R> {
    /// Never callable.
    pub fn runs_at_once(self)
    where
        R: NotAFuture,
    {
    }
}

impl<F: Future> Outcome<Option<F>> {
    /// Never callable.
    pub fn option_runs_at_once(self)
    where
        F: NotAFuture,
    {
    }
}

impl<F: Future, E> Outcome<Result<F, E>> {
    /// Never callable.
    pub fn result_runs_at_once(self)
    where
        F: NotAFuture,
    {
    }
}

/// Types that are not futures, and hold none.
pub trait RunsAtOnce: Sized {
    /// Nothing to check.
    fn runs_at_once(self) {}
    /// Nothing to check.
    fn option_runs_at_once(self) {}
    /// Nothing to check.
    fn result_runs_at_once(self) {}
}

impl<R> RunsAtOnce for Outcome<R> {}

/// A value whose type nobody wrote. The compiler infers `Why`, once it knows the type; with a future it has two answers,
/// and refuses. Unlike a method call, that waits for a type that only the code after it decides.
pub trait RunsUnderTheLock<Why> {}

/// Why most values are taken.
#[derive(Debug)]
pub struct IsNoFuture;

/// Why the others are refused: a future runs where it is awaited, and the lock is released by then.
#[derive(Debug)]
pub struct AFutureWouldRunWithoutTheLock;

/// The same inside an `Option` or a `Result`.
#[derive(Debug)]
pub struct AFutureInsideWouldRunWithoutTheLock;

impl<T> RunsUnderTheLock<IsNoFuture> for T {}
impl<F: Future> RunsUnderTheLock<AFutureWouldRunWithoutTheLock> for F {}
impl<F: Future> RunsUnderTheLock<AFutureInsideWouldRunWithoutTheLock> for Option<F> {}
impl<F: Future, E> RunsUnderTheLock<AFutureInsideWouldRunWithoutTheLock> for Result<F, E> {}

/// The value, which is no future.
pub fn no_future<T: RunsUnderTheLock<Why>, Why>(value: T) -> T {
    value
}
