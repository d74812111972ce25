//! The function under an attribute: its signature understood, its body left as it is.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::token::Brace;
use syn::{Attribute, Error, Receiver, Result, Signature, Token, Visibility, braced};

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) inner_attrs: Vec<Attribute>,
    pub(crate) brace: Brace,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let defaultness = input.parse()?;
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(Error::new(
                sig.ident.span(),
                "a method without a body has nothing to guard; put the attribute on the implementations",
            ));
        }
        let content;
        let brace = braced!(content in input);
        let inner_attrs = content.call(Attribute::parse_inner)?;
        let body = content.parse()?;
        Ok(Self { attrs, vis, defaultness, sig, inner_attrs, brace, body })
    }
}

impl Function {
    /// The same function, whose body begins with more.
    pub(crate) fn beginning_with(mut self, statements: TokenStream) -> Self {
        self.body = std::iter::once(statements).chain(std::iter::once(self.body)).collect();
        self
    }

    /// The body in braces of ours where the user's are: theirs, inside of another block, would be told to be unnecessary.
    pub(crate) fn block(&self) -> TokenStream {
        let place = Span::mixed_site().located_at(self.brace.span.join());
        let mut tokens = TokenStream::new();
        Brace(place).surround(&mut tokens, |inner| self.body.to_tokens(inner));
        tokens
    }

    /// The same function with another body.
    pub(crate) fn with_body(&self, attrs: &TokenStream, body: &TokenStream) -> TokenStream {
        let Self { attrs: own, vis, defaultness, sig, inner_attrs, .. } = self;
        let mut block = TokenStream::new();
        self.brace.surround(&mut block, |inner| inner.extend(quote!(#(#inner_attrs)* #body)));
        quote!(#(#own)* #attrs #vis #defaultness #sig #block)
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// Whether the function is known to stand in an impl or a trait.
    pub(crate) fn has_self_type(&self) -> bool {
        self.receiver().is_some() || mentions_self(self.sig.to_token_stream())
    }

    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attrs.iter().any(|attr| attr.path().is_ident(name))
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        _ => false,
    })
}
