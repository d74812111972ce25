//! Attributes on functions.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ReceiverKind, Result};

use super::location::located;
use super::{arguments, boxed, request, unheld};
use crate::function::Function;
use crate::model::{Call, Refresh};
use crate::returns::{Future, Returned, typed_return};

/// The function with its body under the lock.
pub(crate) fn function(call: &Call, function: &Function) -> Result<TokenStream> {
    if function.sig.asyncness.is_some() {
        let returned = Returned::of(&function.sig);
        let lock = request::lock(call, Some(function));
        let function = &guarded_arguments(call, function, &lock);
        let held = asynchronous(call, function, &returned, &function.body);
        let body = quote_spanned! {Span::mixed_site()=> { let lock = #lock; #held } };
        return Ok(function.with_body(&TokenStream::new(), &body));
    }
    match Future::of(&function.sig) {
        Some(Future::Boxed(output) | Future::Opaque(output)) => {
            boxed::future(call, function, &Returned::new(&output))
        }
        // Known by its spelling, for the message's sake; the type decides in all other cases.
        None if Returned::of(&function.sig).opaque && boxed::ends_in_a_future(function) => {
            Err(boxed::refuse(Returned::of(&function.sig).span))
        }
        _ => Ok(synchronous(call, function)),
    }
}

/// The function whose body owns its arguments.
fn guarded_arguments(call: &Call, function: &Function, lock: &TokenStream) -> Function {
    let (otherwise, refresh) = (&call.otherwise, call.refresh().and_then(|refresh| refresh.by.as_ref()));
    let (function, lets) = arguments::moved_in(function, &quote!(#lock #otherwise #refresh));
    function.beginning_with(lets)
}

/// The guard lives in the function; every way out drops it, and so releases.
fn synchronous(call: &Call, function: &Function) -> TokenStream {
    let private = request::private(call);
    let returned = Returned::of(&function.sig);
    let lock = request::lock(call, Some(function));
    let refused = unheld::refused(call, &returned, &private);
    let check = not_a_future(&returned, &private);
    let name = guard_name(call, &private);
    let refresh = refresh(call, function, &returned, false);
    let function = &guarded_arguments(call, function, &lock);
    let (attribute, block) = located(call, function, &returned, &private);
    // The outer block has our edition: the temporaries of its tail are dropped before the guard in every edition.
    let body = quote_spanned! {Span::mixed_site()=> {
        #check
        let guard = match #private::acquire(&#lock) {
            ::core::result::Result::Ok(guard) => guard,
            ::core::result::Result::Err(error) => #refused,
        };
        let _scope = guard.enter_scope();
        #name
        #refresh
        #block
    }};
    function.with_body(&attribute, &body)
}

/// Statements that expect `lock`, and evaluate to what the async `body` does.
pub(super) fn asynchronous(
    call: &Call,
    function: &Function,
    returned: &Returned,
    body: &TokenStream,
) -> TokenStream {
    let private = request::private(call);
    let refused = unheld::refused(call, returned, &private);
    let on_lost = unheld::on_lost(call, returned, &private);
    let name = guard_name(call, &private);
    let refresh = refresh(call, function, returned, true);
    let typed = if returned.opaque { TokenStream::new() } else { typed_return(returned) };
    // By the type where one is written, before the lock is taken; else by the value.
    let check = not_a_future(returned, &private);
    let (check, check_value) =
        if returned.is_erased() { (TokenStream::new(), check) } else { (check, TokenStream::new()) };
    quote_spanned! {Span::mixed_site()=>
        #check
        let guard = match #private::acquire_async(lock).await {
            ::core::result::Result::Ok(guard) => guard,
            ::core::result::Result::Err(error) => #refused,
        };
        #name
        let on_lost = #on_lost;
        // The body is dropped before the guard, also when the call itself is dropped.
        {
            let body = ::core::pin::pin!(guard.scoped(async move { #typed #check_value #refresh #body }));
            #private::until_lost(&guard, body, on_lost).await
        }
    }
}

/// `guard = NAME`.
pub(super) fn guard_name(call: &Call, private: &TokenStream) -> TokenStream {
    match &call.guard {
        Some(name) => quote_spanned! {Span::mixed_site()=> let #name: &#private::Guard = &guard; },
        None => TokenStream::new(),
    }
}

/// `refresh`: reloads `self` under the lock and before the body.
fn refresh(call: &Call, function: &Function, returned: &Returned, in_async: bool) -> TokenStream {
    let (Some(Refresh { at, by }), Some(receiver)) = (call.refresh(), function.receiver()) else {
        return TokenStream::new();
    };
    let (private, ty) = (request::private(call), returned.tokens());
    let (reloaded, cause) = if let Some(by) = by {
        (reloaded_by(by, in_async), quote!(_))
    } else {
        let this = &receiver.self_token;
        let by_value = matches!(receiver.kind, ReceiverKind::Value);
        let this = if by_value { quote_spanned!(Span::mixed_site()=> &mut #this) } else { quote!(#this) };
        let at = Span::mixed_site().located_at(at.span());
        let (trait_name, wait) = match function.sig.asyncness {
            Some(_) => (quote!(RefreshAsync), quote!(.await)),
            None => (quote!(Refresh), TokenStream::new()),
        };
        let reloaded = quote_spanned! {at=> <Self as #private::#trait_name>::refresh(#this) #wait };
        (reloaded, quote_spanned! {at=> <Self as #private::#trait_name>::Error })
    };
    let carries = quote_spanned! {returned.at()=> <#ty as #private::CarriesRefresh<#cause>> };
    quote_spanned! {Span::mixed_site()=>
        if let ::core::result::Result::Err(error) = #reloaded {
            return #carries::refused(error);
        }
    }
}

/// `refresh = EXPR`: a `Result<(), E>`, or in async code a future of one. A value that nobody would get does not compile.
pub(super) fn reloaded_by(by: &Expr, in_async: bool) -> TokenStream {
    let at = Span::mixed_site().located_at(by.span());
    let wait = if in_async { quote_spanned!(at=> .await) } else { TokenStream::new() };
    quote_spanned! {at=> { let reloaded: ::core::result::Result<(), _> = #by #wait; reloaded } }
}

/// A future behind an alias, or inside a result or an option, is refused by its type.
fn not_a_future(returned: &Returned, private: &TokenStream) -> TokenStream {
    if returned.is_erased() {
        return no_erased_future(returned, private);
    }
    let ty = returned.tokens();
    let outcome = quote_spanned! {returned.at()=> #private::Outcome::<#ty>::new() };
    let calls = ["runs_at_once", "option_runs_at_once", "result_runs_at_once"].map(|name| {
        let name = Ident::new(name, returned.at());
        quote_spanned! {returned.at()=> #outcome.#name() }
    });
    quote_spanned! {Span::mixed_site()=> {
        #[allow(unused_imports)]
        use #private::RunsAtOnce as _;
        #(#calls;)*
    }}
}

/// Where `impl Trait` stands in the type, a `return` that is never reached has the type of the others.
fn no_erased_future(returned: &Returned, private: &TokenStream) -> TokenStream {
    if returned.never {
        return TokenStream::new();
    }
    let value = quote_spanned! {returned.at()=> #private::no_future(loop {}) };
    quote_spanned! {Span::mixed_site()=>
        #[allow(
            unknown_lints, unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop, clippy::needless_return
        )]
        if false {
            return #value;
        }
    }
}
