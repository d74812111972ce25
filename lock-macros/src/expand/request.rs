//! The `Lock` of a call: which locker, which key, which settings.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::key;
use crate::function::Function;
use crate::model::{Call, KeySource, ModelKey};

/// Where expansions find what they name.
pub(super) fn private(call: &Call) -> TokenStream {
    let facade = &call.facade;
    quote_spanned! {Span::mixed_site()=> #facade::__private }
}

/// An expression of type `Lock`. `function` is none in a block.
pub(super) fn lock(call: &Call, function: Option<&Function>) -> TokenStream {
    let private = private(call);
    let using = match &call.using {
        Some(using) => quote_spanned! {Span::mixed_site()=> &(#using) },
        None => quote_spanned! {Span::mixed_site()=> &#private::Global },
    };
    let lock = match &call.key {
        KeySource::Model(model) => model_lock(model, function, &using, &private),
        other => {
            let key = match other {
                KeySource::Template { template, positional, named } => {
                    key::template(template, positional, named, &private)
                }
                KeySource::Expr(key) => key::expression(key, &private),
                KeySource::OwnPath | KeySource::Model(_) => {
                    function.map(|function| key::own_path(function, &private)).unwrap_or_default()
                }
            };
            quote_spanned! {Span::mixed_site()=> #private::lock(#using, #key) }
        }
    };
    let setters = setters(call);
    // Whatever is configured for guards: a call ends with its lock released.
    quote_spanned! {Span::mixed_site()=> #lock #setters .release_on_drop(true) }
}

fn model_lock(
    model: &ModelKey,
    function: Option<&Function>,
    using: &TokenStream,
    private: &TokenStream,
) -> TokenStream {
    let this = match (&model.model, function.and_then(Function::receiver)) {
        (Some(model), _) => {
            quote_spanned! {Span::mixed_site().located_at(model.span())=> #private::model(&#model) }
        }
        (None, Some(receiver)) => {
            let this = &receiver.self_token;
            quote_spanned! {Span::mixed_site().located_at(this.span())=> #private::model(&#this) }
        }
        (None, None) => TokenStream::new(),
    };
    let name = match &model.name {
        Some(name) => {
            quote_spanned! {Span::mixed_site()=> ::core::option::Option::Some(::core::convert::AsRef::<str>::as_ref(&(#name))) }
        }
        None => quote_spanned! {Span::mixed_site()=> ::core::option::Option::None },
    };
    let fields = &model.fields;
    quote_spanned! {Span::mixed_site()=> #private::model_lock(#using, #this, #name, &[#(#fields),*]) }
}

fn setters(call: &Call) -> TokenStream {
    let settings = &call.settings;
    let mut setters = TokenStream::new();
    let mut set = |setter: TokenStream| setters.extend(setter);
    if let Some((blocking, _)) = &settings.blocking {
        set(quote!(.blocking(#blocking)));
    }
    if let Some(renew) = &settings.renew {
        set(quote!(.renew(#renew)));
    }
    if let Some(wait) = settings.wait.as_ref().map(|(wait, _)| wait.tokens()) {
        set(quote!(.wait(#wait)));
    }
    if let Some(ttl) = settings.ttl.as_ref().map(crate::duration::DurationArg::tokens) {
        set(quote!(.ttl(#ttl)));
    }
    if let Some(retry) = settings.retry.as_ref().map(crate::duration::DurationArg::tokens) {
        set(quote!(.retry(#retry)));
    }
    setters
}
