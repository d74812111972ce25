//! The key of a call, evaluated without taking anything from the body.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, Ident, LitStr};

use crate::function::Function;
use crate::template::{Piece, Placeholder, Template};

/// The path of the function itself.
pub(super) fn own_path(function: &Function, private: &TokenStream) -> TokenStream {
    let name = syn::ext::IdentExt::unraw(function.name()).to_string();
    if function.has_self_type() {
        return quote_spanned! {Span::mixed_site()=> #private::method_path::<Self>(::core::module_path!(), #name) };
    }
    // The name of a local item tells what encloses it, which no macro knows: another function, or a type.
    quote_spanned! {Span::mixed_site()=> {
        enum Here {}
        #private::own_path::<Here>(::core::module_path!(), #name)
    } }
}

/// `key = EXPR`; a bare name is cloned, since the body may want it too.
pub(super) fn expression(key: &Expr, private: &TokenStream) -> TokenStream {
    match key {
        Expr::Path(path) if path.path.get_ident().is_some() => {
            quote_spanned! {Span::mixed_site()=> #private::cloned(&#key) }
        }
        _ => key.to_token_stream(),
    }
}

/// A template as a call of `format!`, each value formatted by its spec and then escaped.
pub(super) fn template(
    template: &Template,
    positional: &[Expr],
    named: &[(Ident, Expr)],
    private: &TokenStream,
) -> TokenStream {
    if let Some(plain) = template.plain() {
        return LitStr::new(plain, Span::call_site()).to_token_stream();
    }
    let mut format = String::new();
    let mut values = Vec::new();
    for (at, piece) in template.pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Value { value, spec } => {
                format.push_str("{}");
                // Not the user's literal: clippy would ask him to inline our arguments.
                let one = LitStr::new(&format!("{{{spec}}}"), Span::call_site());
                let value = argument(value, named);
                let end = template.end_of(at);
                values.push(quote_spanned! {Span::mixed_site()=>
                    #private::Escaped(::core::format_args!(#one, #value), #end)
                });
            }
        }
    }
    let format = LitStr::new(&format, Span::call_site());
    let built = quote_spanned! {Span::mixed_site()=> ::std::format!(#format, #(#values),*) };
    let places = (0..positional.len()).map(position).chain(named.iter().map(|(name, _)| name_of(name)));
    let given = positional.iter().chain(named.iter().map(|(_, value)| value));
    let (places, given): (Vec<_>, Vec<_>) = (places.collect(), given.collect());
    if places.is_empty() {
        return built;
    }
    // Evaluated once, in the order written, by reference.
    quote_spanned! {Span::mixed_site()=> match (#(&(#given),)*) { (#(#places,)*) => #built } }
}

fn argument(value: &Placeholder, named: &[(Ident, Expr)]) -> TokenStream {
    match value {
        Placeholder::Position(index) => position(*index).to_token_stream(),
        Placeholder::Name(name) if named.iter().any(|(given, _)| given == name) => {
            name_of(name).to_token_stream()
        }
        Placeholder::Name(name) => name.to_token_stream(),
        Placeholder::Expr(value) => quote!(#value),
    }
}

fn position(index: usize) -> Ident {
    format_ident!("value{index}", span = Span::mixed_site())
}

fn name_of(name: &Ident) -> Ident {
    format_ident!("named_{name}", span = Span::mixed_site())
}
