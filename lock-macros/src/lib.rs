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

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Error, Result};

use crate::args::Args;
use crate::derive::ModelType;
use crate::expand::Block;
use crate::function::Function;
use crate::model::Call;

/// Runs a function under a lock.
#[proc_macro_attribute]
pub fn lock(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute(args.into(), item.into(), options::lock).into()
}

/// Runs a method under the lock of its model.
#[proc_macro_attribute]
pub fn lock_model(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    attribute(args.into(), item.into(), |args| options::lock_model(None, args)).into()
}

/// Runs a block under a lock.
#[proc_macro]
pub fn lock_block(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    block(input.into(), options::lock).into()
}

/// Runs a block under the lock of a model.
#[proc_macro]
pub fn lock_model_block(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    block(input.into(), model_block).into()
}

/// Makes a struct a model: its values have a lock each.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    match syn::parse::<ModelType>(input) {
        Ok(model) => expand::derive(&model).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// The guarded function; on a mistake, the message and the function as it was, so that nothing else goes wrong.
fn attribute(args: TokenStream, item: TokenStream, meaning: fn(Args) -> Result<Call>) -> TokenStream {
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
    let expanded = || {
        let Block { args, guard, body } = syn::parse2(input)?;
        let mut call = meaning(args)?;
        if let (Some(first), Some(second)) = (&call.guard, &guard) {
            let mut error = Error::new(
                second.span(),
                "the guard is named twice: as `guard = ..` and as the closure's argument",
            );
            error.combine(Error::new(first.span(), "named here as well"));
            return Err(error);
        }
        call.guard = call.guard.or(guard);
        rules::block(&call, matches!(body, expand::block::Body::Async { .. }))?;
        Ok(expand::block(&call, &body))
    };
    expanded().unwrap_or_else(|error| error.to_compile_error())
}

/// The first value of `lock_model!` is the model.
fn model_block(mut args: Args) -> Result<Call> {
    if args.values.is_empty() {
        return Err(Error::new(Span::call_site(), "a model is missing: `lock_model!(order, { .. })`"));
    }
    let model = args.values.remove(0);
    options::lock_model(Some(model), args)
}
