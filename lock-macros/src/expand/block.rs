//! `lock!(..)` and `lock_model!(..)`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprAsync, ExprClosure, Ident, Pat, Result, Stmt, Token, token};

use super::{
    function::{guard_name, reloaded_by},
    request,
};
use crate::args::Args;
use crate::model::{Call, KeySource, OnLost, Refresh};

/// The arguments of a block and its body.
pub(crate) struct Block {
    pub(crate) args: Args,
    pub(crate) guard: Option<Ident>,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// Runs in place: `?` and `return` are the surrounding function's.
    Sync(TokenStream),
    /// A future, to be awaited by the caller.
    Async { capture: Option<Token![move]>, block: TokenStream },
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let args = Args::parse_until(input, |input| {
            let closure = input.peek(Token![|]) || input.peek(Token![move]) && !input.peek2(Token![=]);
            input.peek(token::Brace) || input.peek(Token![<]) || input.peek(Token![async]) || closure
        })?;
        if input.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                "a block is missing: `{ .. }`, `|guard| { .. }`, `async { .. }` or `< .. >`",
            ));
        }
        if input.peek(Token![<]) {
            let body = Body::Sync(between_angles(input)?);
            return Ok(Self { args, guard: None, body });
        }
        let body: Expr = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("the block comes last"));
        }
        let (guard, body) = understand(body)?;
        Ok(Self { args, guard, body })
    }
}

fn understand(body: Expr) -> Result<(Option<Ident>, Body)> {
    match body {
        Expr::Block(block) if block.label.is_none() => {
            refuse_future(&block.block.stmts, "async { .. }")?;
            Ok((None, Body::Sync(block.into_token_stream())))
        }
        Expr::Async(ExprAsync { capture, block, .. }) => {
            Ok((None, Body::Async { capture, block: block.into_token_stream() }))
        }
        Expr::Closure(ExprClosure { asyncness, capture, inputs, output, body, .. }) => {
            let mut inputs = inputs.into_iter();
            let guard = match (inputs.next(), inputs.next()) {
                (Some(pat), None) => name(pat)?,
                (_, second) => {
                    let span = second.map_or_else(|| body.span(), |second| second.span());
                    return Err(Error::new(
                        span,
                        "the closure of a block takes the guard and nothing else: `|guard| { .. }`",
                    ));
                }
            };
            if let syn::ReturnType::Type(_, ty) = output {
                return Err(Error::new(
                    ty.span(),
                    "the closure of a block has no type written; its value has the block's",
                ));
            }
            match &*body {
                Expr::Block(block) => refuse_future(&block.block.stmts, "async |guard| { .. }")?,
                Expr::Async(future) => return Err(late(future, "async |guard| { .. }")),
                _ => {}
            }
            let block =
                if matches!(*body, Expr::Block(_)) { body.into_token_stream() } else { quote!({ #body }) };
            let body = if asyncness.is_some() { Body::Async { capture, block } } else { Body::Sync(block) };
            Ok((guard, body))
        }
        other => {
            Err(Error::new(other.span(), "a block is `{ .. }`, `|guard| { .. }`, `async { .. }` or `< .. >`"))
        }
    }
}

/// The plain cases by their spelling, for the message's sake; the type of the value decides in all others.
fn refuse_future(statements: &[Stmt], instead: &str) -> Result<()> {
    match statements.last() {
        Some(Stmt::Expr(Expr::Async(future), None)) => Err(late(future, instead)),
        _ => Ok(()),
    }
}

fn late(future: &ExprAsync, instead: &str) -> Error {
    let message =
        format!("the lock would be released before this future runs; write `{instead}` as the block");
    Error::new(future.async_token.span, message)
}

fn name(pat: Pat) -> Result<Option<Ident>> {
    match pat {
        Pat::Ident(name) if name.subpat.is_none() && name.by_ref.is_none() => Ok(Some(name.ident)),
        Pat::Type(typed) => name(*typed.pat),
        Pat::Wild(_) => Ok(None),
        other => Err(Error::new(
            other.span(),
            "the closure of a block takes the guard by a name: `|guard| { .. }`",
        )),
    }
}

/// The spelling of the design card: everything up to the last `>`.
fn between_angles(input: ParseStream<'_>) -> Result<TokenStream> {
    let open: Token![<] = input.parse()?;
    let mut tokens: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
    if matches!(tokens.last(), Some(TokenTree::Punct(last)) if last.as_char() == ',') {
        tokens.pop();
    }
    match tokens.pop() {
        Some(TokenTree::Punct(last)) if last.as_char() == '>' => {
            let body: TokenStream = tokens.into_iter().collect();
            if let Ok(statements) = syn::Block::parse_within.parse2(body.clone()) {
                refuse_future(&statements, "async { .. }")?;
            }
            Ok(quote!({ #body }))
        }
        _ => Err(Error::new(open.span, "the block opens with `<` and does not end with `>`")),
    }
}

/// An expression of type `Result<T, lock::Error>`, or a future of one.
pub(crate) fn block(call: &Call, body: &Body) -> TokenStream {
    match body {
        Body::Sync(body) => synchronous(call, body),
        Body::Async { capture, block } => asynchronous(call, *capture, block),
    }
}

/// The messages, and the block without its lock, so that nothing else goes wrong.
pub(crate) fn mistaken(error: &Error, body: Option<&Body>) -> TokenStream {
    let error = error.to_compile_error();
    let value = match body {
        Some(Body::Sync(body)) => body.clone(),
        Some(Body::Async { capture, block }) => {
            quote_spanned!(Span::mixed_site()=> async #capture #block.await)
        }
        None => return quote_spanned!(Span::mixed_site()=> { #error }),
    };
    let value = quote_spanned! {Span::mixed_site()=>
        match #value { value => ::core::result::Result::<_, ::lock::Error>::Ok(value) }
    };
    match body {
        Some(Body::Async { capture, .. }) => {
            quote_spanned!(Span::mixed_site()=> { #error async #capture { #value } })
        }
        _ => quote_spanned!(Span::mixed_site()=> { #error #value }),
    }
}

fn synchronous(call: &Call, body: &TokenStream) -> TokenStream {
    let private = request::private(call);
    let lock = request::lock(call, None);
    let name = guard_name(call, &private);
    let refresh = match refresh(call, &private, false) {
        Some(reload) => quote_spanned! {Span::mixed_site()=>
            if let ::core::result::Result::Err(error) = #reload {
                break 'held ::core::result::Result::Err(::core::convert::Into::<#private::Error>::into(error));
            }
        },
        None => TokenStream::new(),
    };
    // Only where it is used, or it would be reported as unused.
    let label =
        if refresh.is_empty() { TokenStream::new() } else { quote_spanned!(Span::mixed_site()=> 'held:) };
    quote_spanned! {Span::mixed_site()=>
        match #private::acquire(&#lock) {
            ::core::result::Result::Ok(guard) => #label {
                let _scope = guard.enter_scope();
                #name
                #refresh
                match #body {
                    // A body that always returns or breaks is not our user's mistake.
                    #[allow(unreachable_code)]
                    value => ::core::result::Result::<_, #private::Error>::Ok(#private::no_future(value)),
                }
            }
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    }
}

fn asynchronous(call: &Call, capture: Option<Token![move]>, body: &TokenStream) -> TokenStream {
    let private = request::private(call);
    let lock = request::lock(call, None);
    let name = guard_name(call, &private);
    let cancel = !matches!(call.on_lost, Some((OnLost::Continue, _)));
    let refresh = refresh(call, &private, true).map(|reload| {
        quote_spanned! {Span::mixed_site()=>
            if let ::core::result::Result::Err(error) = #reload {
                return ::core::result::Result::Err(::core::convert::Into::<#private::Error>::into(error));
            }
        }
    });
    quote_spanned! {Span::mixed_site()=> {
        let lock = #lock;
        async #capture {
            let guard = match #private::acquire_async(lock).await {
                ::core::result::Result::Ok(guard) => guard,
                ::core::result::Result::Err(error) => return ::core::result::Result::Err(error),
            };
            #name
            #refresh
            let body = ::core::pin::pin!(guard.scoped(async #capture #body));
            #private::block(&guard, body, #cancel).await
        }
    }}
}

/// `refresh` of a block reloads the model it names, be it a place or a borrow.
fn refresh(call: &Call, private: &TokenStream, is_async: bool) -> Option<TokenStream> {
    let Refresh { at, by } = call.refresh()?;
    if let Some(by) = by {
        return Some(reloaded_by(by, is_async));
    }
    let KeySource::Model(key) = &call.key else { return None };
    let model = key.model.as_ref()?;
    let at = Span::mixed_site().located_at(at.span());
    let (reload, method) = if is_async {
        (quote!(ReloadAsync), quote_spanned!(at=> __lock_reload_async().await))
    } else {
        (quote!(Reload), quote_spanned!(at=> __lock_reload()))
    };
    Some(quote_spanned! {at=> { use #private::#reload as _; (#model).#method } })
}
