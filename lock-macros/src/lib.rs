//! The attributes and blocks of `lock`. The manual is on the items; use them through the crate `lock`.

mod args;
mod derive;
mod duration;
mod expand;
mod function;
mod model;
mod options;
mod returns;
mod rules;
mod template;
mod values;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::{Error, Result};

use crate::args::Args;
use crate::derive::ModelType;
use crate::expand::block::{Block, Body};
use crate::function::Function;
use crate::model::Call;

/// Waits for a lock, runs the function, and releases: on a free function or a method, sync or `async`.
///
/// # The key
///
/// | written | the key |
/// |---|---|
/// | `#[lock]` | the function's own path, `crate::module::name`; a method's has its type, `crate::module::Type::name` |
/// | `#[lock("user:{user_id}")]` | a template, as in `format!`: captures, `{user.id}`, `{self.id}`, formats as `{n:04}` |
/// | `#[lock("{}:{}", user.id, region)]` | a template with values by position, or by name |
/// | `#[lock(key = EXPR)]` | any `impl Into<Key>`; a bare name is cloned, so that the body still has it |
///
/// In a template each value is formatted first and then escaped: `:` becomes `%3A` and `%` becomes `%25`, so that
/// `("a:b", "c")` and `("a", "b:c")` have different locks. A value without either stands unchanged. Where something else
/// parts two values, as in `"{a}-{b}"`, that character is escaped in the value before it too. Two values with nothing or
/// a `%` between them are refused.
///
/// The key is evaluated once, before the body, without moving an argument. The key that was taken is the key that is
/// released, whatever the body does to its arguments.
///
/// In the own path stand the functions around a nested one, `crate::module::outer::name`, and no type parameters, so that
/// `f::<u8>` and `f::<u16>` exclude each other. Of two functions of one name in different blocks of one function, or
/// methods of one name of different traits for one type, the own path is the same: give them keys.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `blocking = false` | one attempt, no waiting | `true` |
/// | `wait = "5s"` | the longest to wait for the lock, with a last attempt at the end | no limit |
/// | `ttl = "30s"` | the lease: how long the lock outlives a holder that died | configured, 30 s |
/// | `renew = false` | do not renew the lease while the body runs | `true` |
/// | `retry = "100ms"` | how often to look again where nothing can notify; sooner at first | configured, 100 ms |
/// | `using = EXPR` | another locker: a name from the configuration (`"jobs"`) or a `&Locker` | the global one |
/// | `guard = NAME` | the body can use the guard, as a `&Guard`, under that name | none |
/// | `otherwise = CLOSURE` | `\|error\| value`: what the function returns when it did not run | see below |
/// | `on_lost = "cancel"` or `"continue"` | async: what happens to the body when the lease is lost | see below |
/// | `crate = PATH` | where the facade is re-exported | `::lock` |
///
/// Durations are text (`"1.5s"`, `"2m 30s"`), numbers of seconds, or any expression of type `Duration`; text and numbers
/// are checked while compiling: `ttl` is 100 ms to 10 years, `retry` 1 ms to 1 hour. `shared`, `permits`, `keys`, `reentrant` and `fair` come with a later release.
///
/// # What the function returns without its lock
///
/// The type decides, not its spelling:
/// - `Result<T, E>` where `E: From<lock::Error>`: `Err(error.into())`. A result whose error cannot be made from
///   `lock::Error` does not compile without `otherwise`.
/// - With `otherwise`, its value.
/// - Any other type waits without limit, and panics if the lock cannot be had at all.
/// - Any other type with `blocking = false` or `wait` does not compile.
///
/// # Errors
///
/// `Locked` with `blocking = false`, `Timeout` with `wait`, `WouldDeadlock` for a call nested in a holder of the same
/// key, and whatever the store reports. The body has not run.
///
/// `Lost`, in async functions whose type can carry it: the lease ended while the body ran, which was dropped at its
/// `.await`. A function that can return `Err(Lost)` does so even if it has `otherwise`: it did run, half-way. Where the
/// type cannot carry it, the body runs on; with `on_lost = "cancel"` it is dropped, and `otherwise` says what to return.
/// `on_lost = "continue"` never cancels. A sync body cannot be cancelled: its own value is returned, and `guard.check()`
/// tells it about the loss in between.
///
/// # Panics
///
/// A function of a plain type, if its lock cannot be had: with the key and the cause, at its caller's line. It is
/// `#[track_caller]` for that; `async`, `extern` and `main` functions report their own line. Where the function hands a
/// mutable borrow through, the panics of its body are reported at the caller's line, too.
///
/// # Functions that return a future
///
/// `async fn` is the plain case. A function that ends in `async move { .. }` or `Box::pin(async move { .. })`, as
/// `#[async_trait]` writes them, is guarded inside that block: the lock is taken when the future is first polled. Statements
/// before it run when the function is called, without the lock. Everything else that returns a future is refused: the lock
/// would be released before the future runs. That includes an `Option` or a `Result` of a future, and an `async fn` whose
/// value is another future.
///
/// Not guarded, and not refused either, since nobody can see them: an early `return` before the `async` block that a macro
/// writes, and what runs later inside of an iterator, a stream or a closure that the function returns. Take the lock where
/// those run.
///
/// # Arguments
///
/// Arguments by value are dropped before the lock is released, so that a `BufWriter` is flushed under it. This does not hold
/// for `self` by value and for arguments that are taken apart by a pattern, in sync functions, and where they are not
/// moved by the body: move them, as by `let this = self;`.
///
/// # Beside other attributes
///
/// Attributes apply from top to bottom, and two locks nest: of `#[lock("a")] #[lock("b")]`, `b` is taken first.
#[proc_macro_attribute]
pub fn lock(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute(args.into(), &item.into(), options::lock).into()
}

/// Waits for the lock of `self`, runs the method, and releases: on a method of a type that implements `Model`.
///
/// # The key
///
/// | written | the key |
/// |---|---|
/// | `#[lock_model]` | by the primary key: `shop:order:pk:7` |
/// | `#[lock_model(field = "bar")]` or `#[lock_model("bar")]` | by a field: `shop:order:bar:abc` |
/// | `#[lock_model("a", "b")]` or `fields = ["a", "b"]` | by several: `shop:order:a:1:b:2` |
/// | `#[lock_model(name = "foo")]` | under another name than the model's: `foo:pk:7` |
///
/// Values are escaped as in the templates of `#[lock]`. A field that does not exist, or has no `Display`, is an error of the
/// call that names the fields there are.
///
/// # Options
///
/// All of `#[lock]` but the key, and `refresh`: with the lock held and before the body, `self` is loaded again by
/// `Refresh::refresh`, or in an `async` method by `RefreshAsync::refresh`. The method takes `&mut self` or `mut self`, and
/// its error is made from the reload's; the lock is released then.
///
/// A model that is reloaded from an argument, a connection above all, says how: `refresh = self.reload(db)`, any expression
/// that gives `Result<(), E>`, or in an `async` method a future of one.
///
/// # Errors
///
/// Those of `#[lock]`, and that of `refresh`.
///
/// # Panics
///
/// As `#[lock]`.
#[proc_macro_attribute]
pub fn lock_model(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute(args.into(), &item.into(), |args| options::lock_model(None, args)).into()
}

/// Waits for a lock, runs the block, and releases: `lock!("key", { .. })` is a `Result<T, lock::Error>`.
///
/// The arguments are those of `#[lock]`, with the block at the end and without `otherwise`. The block is one of
/// - `{ .. }`, which runs in place: `?`, `return` and `break` inside belong to what is around it;
/// - `|guard| { .. }`, the same with the guard, a `&Guard`, under that name;
/// - `async { .. }`, `async move { .. }` or `async |guard| { .. }`, a future to await. The key is evaluated at once, the
///   lock is taken by the first poll, and a lost lease cancels the block unless `on_lost = "continue"`;
/// - `< .. >`, the same as `{ .. }`.
///
/// A block whose value is a future is refused: the lock would be released before it runs. An iterator, a stream or a closure
/// that leaves the block runs without the lock.
///
/// # Errors
///
/// Those of `#[lock]`: the block has not run, or has been cancelled with `Lost`.
#[proc_macro]
pub fn lock_block(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    block(input.into(), options::lock).into()
}

/// Waits for the lock of a model, runs the block, and releases: `lock_model!(order, { .. })`.
///
/// The model comes first and is borrowed while the key is built; then follow the arguments of `#[lock_model]` and the block
/// of `lock!`. With `refresh`, or `refresh = order.reload(db)`, the model is loaded again before the block runs; the error of
/// the reload converts into `lock::Error`.
///
/// # Errors
///
/// Those of `lock!`, and that of `refresh`.
#[proc_macro]
pub fn lock_model_block(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    block(input.into(), model_block).into()
}

/// Makes a struct a model: its values have a lock each.
///
/// | in `#[model(..)]` | meaning | default |
/// |---|---|---|
/// | `name = "shop:order"` | the first part of the key | the name of the type |
/// | `pk = number` | the field that is the primary key; it implements `Display` | `id` |
/// | `crate = PATH` | where the facade is re-exported | `::lock` |
///
/// Every field with a `Display` can be part of a key by its name.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<ModelType>(input) {
        Ok(model) => expand::derive(&model).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// The guarded function; on a mistake, the message and the function as it was, so that nothing else goes wrong.
fn attribute(args: TokenStream, item: &TokenStream, meaning: fn(Args) -> Result<Call>) -> TokenStream {
    let guarded = || {
        let function = parse_function(item.clone())?;
        let call = meaning(syn::parse2(args)?)?;
        rules::function(&call, &function)?;
        expand::function(&call, &function)
    };
    guarded().unwrap_or_else(|error| {
        let mut tokens = error.to_compile_error();
        tokens.extend(item.clone());
        tokens
    })
}

fn parse_function(item: TokenStream) -> Result<Function> {
    let is_function =
        item.clone().into_iter().any(|token| matches!(&token, TokenTree::Ident(word) if word == "fn"));
    if !is_function {
        return Err(Error::new(Span::call_site(), "a lock goes on a function or a method"));
    }
    syn::parse2(item)
}

fn block(input: TokenStream, meaning: fn(Args) -> Result<Call>) -> TokenStream {
    let Block { args, guard, body } = match syn::parse2(input) {
        Ok(block) => block,
        Err(error) => return expand::block::mistaken(&error, None),
    };
    block_call(args, guard, &body, meaning)
        .map_or_else(|error| expand::block::mistaken(&error, Some(&body)), |call| expand::block(&call, &body))
}

fn block_call(
    args: Args,
    guard: Option<Ident>,
    body: &Body,
    meaning: fn(Args) -> Result<Call>,
) -> Result<Call> {
    let mut call = meaning(args)?;
    if let (Some(_), Some(second)) = (&call.guard, &guard) {
        let message = "the guard is named twice: as `guard = ..` and as the closure's argument";
        return Err(Error::new(second.span(), message));
    }
    call.guard = call.guard.or(guard);
    rules::block(&call, matches!(body, Body::Async { .. }))?;
    Ok(call)
}

/// The first value of `lock_model!` is the model.
fn model_block(mut args: Args) -> Result<Call> {
    if args.values.is_empty() {
        return Err(Error::new(Span::call_site(), "a model is missing: `lock_model!(order, { .. })`"));
    }
    let model = args.values.remove(0);
    options::lock_model(Some(model), args)
}
