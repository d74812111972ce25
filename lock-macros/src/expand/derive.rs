//! `#[derive(Model)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use crate::derive::ModelType;

/// The implementation of `Model`.
pub(crate) fn derive(model: &ModelType) -> TokenStream {
    let ModelType { facade, ident, generics, name, pk, fields } = model;
    let private = quote_spanned! {Span::mixed_site()=> #facade::__private };
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let names: Vec<String> = fields.iter().map(name_of).collect();
    let at = Span::mixed_site().located_at(syn::spanned::Spanned::span(pk));
    let pk_text = quote_spanned! {at=> #private::text(&self.#pk) };
    let body = if fields.is_empty() {
        quote_spanned! {Span::mixed_site()=> let _ = name; ::core::option::Option::None }
    } else {
        quote_spanned! {Span::mixed_site()=>
            #[allow(unused_imports)]
            use #private::Text as _;
            match name {
                #(#names => #private::Value(&self.#fields).text(),)*
                _ => ::core::option::Option::None,
            }
        }
    };
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #impl_generics #private::Model for #ident #ty_generics #where_clause {
            const NAME: &'static str = #name;
            const FIELDS: &'static [&'static str] = &[#(#names),*];

            fn pk(&self) -> ::std::string::String {
                #pk_text
            }

            fn field(&self, name: &str) -> ::core::option::Option<::std::string::String> {
                #body
            }
        }
    }
}

fn name_of(member: &syn::Member) -> String {
    match member {
        syn::Member::Named(name) => syn::ext::IdentExt::unraw(name).to_string(),
        syn::Member::Unnamed(index) => index.to_token_stream().to_string(),
    }
}
