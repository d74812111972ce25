//! Functions that return a future without being `async`: guarded inside the future.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::{Block, Error, Expr, ExprAsync, Pat, Result, Stmt, parse_quote};

use super::{arguments::mentions, function::asynchronous, request};
use crate::function::Function;
use crate::model::Call;
use crate::returns::Returned;

/// Guards the `async` block at the end of the body. The key is still built when the function is called.
pub(super) fn future(call: &Call, function: &Function, output: &Returned) -> Result<TokenStream> {
    let at_type = || refuse(Returned::of(&function.sig).span);
    let mut statements = Block::parse_within.parse2(function.body.clone()).map_err(|_| at_type())?;
    let Some(Stmt::Expr(mut tail, None)) = statements.pop() else { return Err(at_type()) };
    for statement in &statements {
        if let Some(span) = early_return(statement.to_token_stream()) {
            return Err(Error::new(
                span,
                "a `return` before the `async` block would hand out a future without its lock",
            ));
        }
    }
    let body = async_block(&mut tail).ok_or_else(at_type)?;
    let lock = request::lock(call, Some(function));
    for statement in &mut body.block.stmts {
        allow_renaming(statement, &lock);
    }
    let inner = &body.block.stmts;
    let held = asynchronous(call, function, output, &quote!(#(#inner)*));
    body.block = syn::parse2(quote_spanned! {Span::mixed_site()=> { #held } })?;
    let body = quote_spanned! {Span::mixed_site()=> let lock = #lock; #(#statements)* #tail };
    Ok(function.with_body(&TokenStream::new(), &body))
}

pub(super) fn refuse(span: Span) -> Error {
    Error::new(
        span,
        "this function returns a future, and the lock would be released before it runs; make it an `async fn`, \
         or end the body in `async move { .. }` or `Box::pin(async move { .. })` and name the type as \
         `impl Future<Output = T>` or `Pin<Box<dyn Future<Output = T>>>`",
    )
}

/// Whether the body ends in an `async` block, whatever its type is called.
pub(super) fn ends_in_a_future(function: &Function) -> bool {
    let mut statements = Block::parse_within.parse2(function.body.clone()).unwrap_or_default();
    match statements.last_mut() {
        Some(Stmt::Expr(tail, _)) => ends_in_async(tail),
        _ => false,
    }
}

fn ends_in_async(tail: &mut Expr) -> bool {
    match tail {
        Expr::Return(value) => value.expr.as_deref_mut().is_some_and(ends_in_async),
        other => async_block(other).is_some(),
    }
}

/// `#[async_trait]` moves every argument in by `let id = id;`, also one that only the key uses.
fn allow_renaming(statement: &mut Stmt, lock: &TokenStream) {
    let Stmt::Local(local) = statement else { return };
    let Pat::Ident(pat) = &local.pat else { return };
    let Some(Expr::Path(value)) = local.init.as_ref().map(|init| &*init.expr) else { return };
    if value.path.is_ident(&pat.ident) && mentions(lock.clone(), &pat.ident) {
        local.attrs.push(parse_quote!(#[allow(unused_variables)]));
    }
}

/// The `async` block itself, or inside `Box::pin(..)`.
fn async_block(tail: &mut Expr) -> Option<&mut ExprAsync> {
    match tail {
        Expr::Async(body) => Some(body),
        Expr::Group(group) => async_block(&mut group.expr),
        Expr::Paren(paren) => async_block(&mut paren.expr),
        Expr::Call(call) if is_box_pin(&call.func) && call.args.len() == 1 => {
            async_block(call.args.first_mut()?)
        }
        _ => None,
    }
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    matches!(names.as_slice(), [.., owner, pin] if owner == "Box" && pin == "pin")
}

fn early_return(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "return" => Some(ident.span()),
        TokenTree::Group(group) => early_return(group.stream()),
        _ => None,
    })
}
