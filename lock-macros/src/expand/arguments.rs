//! Arguments by value belong to the body: what they do when they are dropped, they do under the lock.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Attribute, FnArg, Pat, Type, parse_quote};

use crate::function::Function;

/// `let x = x;` for the arguments by value, and the function without lints about their old bindings.
///
/// A borrow drops nothing; `self` and patterns cannot be bound again. `before` is what names arguments outside of the body.
pub(super) fn moved_in(function: &Function, before: &TokenStream) -> (Function, TokenStream) {
    let mut outer = function.clone();
    let mut lets = TokenStream::new();
    for input in &mut outer.sig.inputs {
        let FnArg::Typed(argument) = input else { continue };
        let Pat::Ident(pat) = &*argument.pat else { continue };
        if pat.by_ref.is_some() || pat.subpat.is_some() || matches!(&*argument.ty, Type::Reference(_)) {
            continue;
        }
        let (name, mutability) = (&pat.ident, &pat.mutability);
        let conditions: Vec<&Attribute> =
            argument.attrs.iter().filter(|attr| !attr.path().is_ident("doc")).collect();
        // An argument that only the key uses, or the reload, is used.
        let unused = match (mentions(before.clone(), name), mutability) {
            (true, None) => quote!(#[allow(unused_variables)]),
            (true, Some(_)) => quote!(#[allow(unused_variables, unused_mut)]),
            (false, _) => quote!(),
        };
        lets.extend(quote_spanned! {Span::mixed_site()=>
            #(#conditions)*
            #unused
            #[allow(
                unknown_lints, clippy::redundant_locals, clippy::shadow_same, clippy::let_unit_value,
                clippy::used_underscore_binding, clippy::no_effect_underscore_binding
            )]
            let #mutability #name = #name;
        });
        if mutability.is_some() {
            argument.attrs.push(parse_quote!(#[allow(unused_mut)]));
        }
    }
    (outer, lets)
}

/// Whether a name stands among the tokens; a text may format it.
pub(super) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Literal(text) => text.to_string().contains(&name.to_string()),
        TokenTree::Punct(_) => false,
    })
}
