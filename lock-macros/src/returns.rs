//! What can be read off a return type without knowing its types.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound, parse_quote,
    parse_quote_spanned,
};

/// The type a body evaluates to.
pub(crate) struct Returned {
    /// With every `impl Trait` written `_`.
    pub(crate) erased: Type,
    /// `impl Trait` as a whole, or `!`: no type to decide by.
    pub(crate) opaque: bool,
    /// `!`.
    pub(crate) never: bool,
    /// Where to point; the function's name, where no type is written.
    pub(crate) span: Span,
}

impl Returned {
    pub(crate) fn of(sig: &Signature) -> Self {
        match &sig.output {
            ReturnType::Default => {
                let span = sig.ident.span();
                let erased = parse_quote_spanned!(Span::mixed_site().located_at(span)=> ());
                Self { erased, opaque: false, never: false, span }
            }
            ReturnType::Type(_, returned) => Self::new(returned),
        }
    }

    pub(crate) fn new(returned: &Type) -> Self {
        let mut erased = returned.clone();
        Eraser.visit_type_mut(&mut erased);
        let never = matches!(bare(returned), Type::Never(_));
        let opaque = never || matches!(bare(returned), Type::ImplTrait(_));
        Self { erased, opaque, never, span: returned.span() }
    }

    /// The type, located at the user's, so that a refusal points there.
    pub(crate) fn tokens(&self) -> TokenStream {
        self.erased.to_token_stream()
    }

    /// Where a check of the type is reported.
    pub(crate) fn at(&self) -> Span {
        Span::mixed_site().located_at(self.span)
    }
}

struct Eraser;

impl VisitMut for Eraser {
    fn visit_type_mut(&mut self, node: &mut Type) {
        if matches!(node, Type::ImplTrait(_)) {
            *node = parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, node);
        }
    }
}

struct Inferred(bool);

impl VisitMut for Inferred {
    fn visit_type_infer_mut(&mut self, _: &mut syn::TypeInfer) {
        self.0 = true;
    }
}

/// A future in a return type.
pub(crate) enum Future {
    /// `impl Future<Output = T>`.
    Opaque(Type),
    /// `Pin<Box<dyn Future<Output = T>>>` or `BoxFuture<T>`.
    Boxed(Type),
    /// A future somewhere inside another type.
    Nested(Span),
}

impl Future {
    pub(crate) fn of(sig: &Signature) -> Option<Self> {
        let ReturnType::Type(_, returned) = &sig.output else { return None };
        let returned = bare(returned);
        if let Type::ImplTrait(opaque) = returned {
            return output(opaque.bounds.iter()).map(Self::Opaque);
        }
        if let Some(output) = boxed(returned) {
            return Some(Self::Boxed(output));
        }
        let mut search = Search(None);
        search.visit_type_mut(&mut returned.clone());
        search.0.map(Self::Nested)
    }
}

/// The output of the future among the bounds.
fn output<'a>(mut bounds: impl Iterator<Item = &'a TypeParamBound>) -> Option<Type> {
    bounds.find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last()?;
        if !last.ident.to_string().ends_with("Future") {
            return None;
        }
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(parse_quote!(_)) };
        let named = arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
            _ => None,
        });
        Some(named.unwrap_or_else(|| parse_quote!(_)))
    })
}

/// The output of `Pin<Box<dyn Future<Output = T>>>`, `BoxFuture<'_, T>` and `LocalBoxFuture<'_, T>`.
fn boxed(returned: &Type) -> Option<Type> {
    let Type::Path(path) = bare(returned) else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let inner = arguments.args.iter().rev().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })?;
    match last.ident.to_string().as_str() {
        "BoxFuture" | "LocalBoxFuture" => Some(inner.clone()),
        "Pin" => boxed(inner),
        "Box" => match bare(inner) {
            Type::TraitObject(object) => output(object.bounds.iter()),
            _ => None,
        },
        _ => None,
    }
}

/// Finds a future inside a type; what a returned closure makes is its caller's.
struct Search(Option<Span>);

impl VisitMut for Search {
    fn visit_type_mut(&mut self, node: &mut Type) {
        let bounds = match node {
            Type::ImplTrait(opaque) => &opaque.bounds,
            Type::TraitObject(object) => &object.bounds,
            Type::FnPtr(_) => return,
            _ => return visit_mut::visit_type_mut(self, node),
        };
        if output(bounds.iter()).is_some() {
            self.0.get_or_insert(node.span());
        }
    }
}

/// The type without parentheses and invisible groups.
fn bare(mut returned: &Type) -> &Type {
    loop {
        returned = match returned {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return returned,
        };
    }
}

/// Tells an async block what it returns, which nothing else does.
pub(crate) fn typed_return(returned: &Returned) -> TokenStream {
    let ty = returned.tokens();
    quote_spanned! {Span::mixed_site()=>
        #[allow(
            unknown_lints, unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop, clippy::let_unit_value,
            clippy::needless_return, clippy::let_with_type_underscore
        )]
        if false {
            let returned: #ty = loop {};
            return returned;
        }
    }
}

impl Returned {
    /// Whether part of the type cannot be named.
    pub(crate) fn is_erased(&self) -> bool {
        let mut search = Inferred(false);
        search.visit_type_mut(&mut self.erased.clone());
        self.opaque || search.0
    }

    /// Whether the type is spelled as a result; an alias is not, and decided by the compiler.
    pub(crate) fn is_result(&self) -> bool {
        match bare(&self.erased) {
            Type::Path(path) => {
                path.path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result"))
            }
            _ => false,
        }
    }
}
