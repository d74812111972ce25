//! What is refused although it is well-formed.

use proc_macro2::Span;
use syn::{Error, ReceiverKind, Result, Type};

use crate::function::Function;
use crate::model::{Call, KeySource, OnLost, Refresh};
use crate::returns::{Future, Returned};

/// Collects every mistake, so that one compilation shows them all.
#[derive(Default)]
struct Mistakes(Option<Error>);

impl Mistakes {
    fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        let error = Error::new(span, message);
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn into_result(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// The rules of an attribute on a function.
pub(crate) fn function(call: &Call, function: &Function) -> Result<()> {
    let mut mistakes = Mistakes::default();
    call_alone(call, &mut mistakes);
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        mistakes.add(
            constness.span,
            "a `const fn` may run while compiling, where there is no lock to wait for; drop `const`",
        );
    }
    let future = Future::of(sig);
    let is_async = sig.asyncness.is_some() || matches!(future, Some(Future::Opaque(_) | Future::Boxed(_)));
    if let (false, Some((_, name))) = (is_async, &call.on_lost) {
        mistakes.add(
            name.span(),
            "`on_lost` is for async functions: a sync body cannot be cancelled while it runs",
        );
    }
    let output = match (&future, sig.asyncness) {
        (Some(Future::Nested(span)), None) => {
            mistakes.add(
                *span,
                "the lock would be released before this future runs; make the function `async`, \
                 or take the lock where the future runs: `lock!(\"key\", async { .. })`",
            );
            None
        }
        (Some(Future::Opaque(output) | Future::Boxed(output)), None) => Some(Returned::new(output)),
        _ => Some(Returned::of(sig)),
    };
    if let Some(output) = output.filter(|output| output.opaque && call.otherwise.is_none()) {
        opaque(call, &output, &mut mistakes);
    }
    model(call, function, &mut mistakes);
    mistakes.into_result()
}

/// The rules of a block.
pub(crate) fn block(call: &Call, is_async: bool) -> Result<()> {
    let mut mistakes = Mistakes::default();
    call_alone(call, &mut mistakes);
    if let Some(otherwise) = &call.otherwise {
        let span = syn::spanned::Spanned::span(otherwise);
        mistakes.add(
            span,
            "a block gives a `Result`: instead of `otherwise`, write `.unwrap_or_else(|error| ..)` after it",
        );
    }
    if let (false, Some((_, name))) = (is_async, &call.on_lost) {
        mistakes
            .add(name.span(), "`on_lost` is for async blocks: a sync body cannot be cancelled while it runs");
    }
    if matches!(call.key, KeySource::OwnPath) {
        mistakes.add(Span::call_site(), "a block needs a key: `lock!(\"key\", { .. })`");
    }
    mistakes.into_result()
}

/// The options among themselves.
fn call_alone(call: &Call, mistakes: &mut Mistakes) {
    for name in &call.later {
        mistakes.add(name.span(), format!("`{name}` comes with a later release of `lock`"));
    }
    if let (Some((false, _)), Some((_, wait))) = (&call.settings.blocking, &call.settings.wait) {
        mistakes.add(
            wait.span(),
            "`wait` has nothing to limit beside `blocking = false`, which does not wait; drop one of them",
        );
    }
}

/// `impl Trait` and `!` can hold no error, and no type check would see it.
fn opaque(call: &Call, output: &Returned, mistakes: &mut Mistakes) {
    if call.is_limited() {
        mistakes.add(
            output.span,
            "this type cannot say that the lock was not acquired, as `blocking = false` or `wait` may leave it; \
             return `Result<T, E>` where `E: From<lock::Error>`, or say what to return: `otherwise = |error| ..`",
        );
    }
    if matches!(call.on_lost, Some((OnLost::Cancel, _))) {
        mistakes.add(
            output.span,
            "this type cannot say that the lease was lost, as `on_lost = \"cancel\"` needs; \
             return `Result<T, E>` where `E: From<lock::Error>`, or say what to return: `otherwise = |error| ..`",
        );
    }
}

/// A model is `self`, and a reload writes to it.
fn model(call: &Call, function: &Function, mistakes: &mut Mistakes) {
    let KeySource::Model(key) = &call.key else { return };
    let Some(receiver) = function.receiver() else {
        mistakes.add(
            function.name().span(),
            "`#[lock_model]` locks `self`, so it goes on a method with `&self`, `&mut self` or `self`",
        );
        return;
    };
    let writable = match &receiver.kind {
        ReceiverKind::Value => receiver.mutability.is_some(),
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(reference) if reference.mutability.is_some())
        }
        _ => true,
    };
    if let (Some(Refresh { at, by: None }), false) = (&key.refresh, writable) {
        mistakes.add(at.span(), "`refresh` writes the reloaded fields: take `&mut self`, or `mut self`");
    }
}
