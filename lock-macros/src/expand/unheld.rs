//! What a call returns when its body did not run, or not to its end.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use crate::model::{Call, OnLost};
use crate::returns::Returned;

/// The arm of an acquisition that failed: diverges.
pub(super) fn refused(call: &Call, returned: &Returned, private: &TokenStream) -> TokenStream {
    let ty = returned.tokens();
    if let Some(otherwise) = &call.otherwise {
        let value = quote_spanned! {Span::mixed_site()=> #private::otherwise(error, #otherwise) };
        return if returned.never { value } else { quote_spanned!(Span::mixed_site()=> return #value) };
    }
    if returned.opaque {
        return quote_spanned! {Span::mixed_site()=> #private::refuse(&error) };
    }
    if call.is_limited() {
        let carries = quote_spanned! {returned.at()=> <#ty as #private::Carries> };
        return quote_spanned! {Span::mixed_site()=> return #carries::refused(error) };
    }
    // All of it at the type: that is where a missing `From` is reported.
    let refused = quote_spanned! {returned.at()=> #private::Outcome::<#ty>::new().refused(error) };
    quote_spanned! {Span::mixed_site()=> {
        #[allow(unused_imports)]
        use #private::Refuse as _;
        return #refused;
    }}
}

/// Whether and how an async body is cancelled: an `Option` of what to make of the loss.
pub(super) fn on_lost(call: &Call, returned: &Returned, private: &TokenStream) -> TokenStream {
    let ty = returned.tokens();
    let carried = if returned.opaque {
        quote_spanned! {Span::mixed_site()=> #private::keep_running() }
    } else {
        quote_spanned! {Span::mixed_site()=> {
            #[allow(unused_imports)]
            use #private::NoLoss as _;
            #private::Outcome::<#ty>::new().on_lost()
        }}
    };
    match (call.on_lost.as_ref().map(|(on_lost, _)| *on_lost), &call.otherwise) {
        (None, _) => carried,
        (Some(OnLost::Continue), _) => quote_spanned! {Span::mixed_site()=> #private::keep_running() },
        (Some(OnLost::Cancel), Some(otherwise)) => {
            quote_spanned! {Span::mixed_site()=> #private::lost_or(#carried, #otherwise) }
        }
        (Some(OnLost::Cancel), None) => {
            quote_spanned! {returned.at()=> #private::cancel::<#ty>() }
        }
    }
}
