//! The `Lock` of a call: which locker, which key, which settings.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
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
    let using = if let Some(using) = &call.using {
        quote_spanned!(Span::mixed_site().located_at(using.span())=> &(#using))
    } else {
        quote_spanned!(Span::mixed_site()=> &#private::Global)
    };
    let lock = match &call.key {
        KeySource::Model(model) => {
            let key = model_key(model, function, &private);
            quote_spanned! {Span::mixed_site()=> #private::model_lock(#using, #key) }
        }
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

fn model_key(model: &ModelKey, function: Option<&Function>, private: &TokenStream) -> TokenStream {
    let this = match (&model.model, function.and_then(Function::receiver)) {
        (Some(model), _) => model.to_token_stream(),
        (None, Some(receiver)) => receiver.self_token.to_token_stream(),
        (None, None) => TokenStream::new(),
    };
    let name = if let Some(name) = &model.name {
        quote_spanned!(Span::mixed_site()=> ::core::option::Option::Some(&*(#name)))
    } else {
        quote_spanned!(Span::mixed_site()=> ::core::option::Option::None)
    };
    let fields = &model.fields;
    let at = Span::mixed_site().located_at(this.span());
    quote_spanned! {at=> #private::model_key(&#this, #name, &[#(#fields),*]) }
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
