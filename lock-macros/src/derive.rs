//! The type under `#[derive(Model)]`, and its `#[model(..)]`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Expr, ExprLit, Generics, Lit, LitStr, Member, Path, Result, parse_quote,
};

use crate::args::string;

/// A struct whose values have a lock each.
pub(crate) struct ModelType {
    pub(crate) facade: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) name: LitStr,
    pub(crate) pk: Member,
    pub(crate) fields: Vec<Member>,
}

impl Parse for ModelType {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let input: DeriveInput = input.parse()?;
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(
                input.ident.span(),
                "a model is a struct: its key is made from its fields",
            ));
        };
        let fields: Vec<Member> = data.fields.members().collect();
        let mut read = Attributes::default();
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("model")) {
            attr.parse_nested_meta(|meta| read.set(&meta))?;
        }
        let pk = primary_key(&input.ident, read.pk, &fields)?;
        let default =
            || LitStr::new(&syn::ext::IdentExt::unraw(&input.ident).to_string(), input.ident.span());
        Ok(Self {
            facade: read.facade.unwrap_or_else(|| parse_quote!(::lock)),
            name: read.name.unwrap_or_else(default),
            ident: input.ident,
            generics: input.generics,
            pk,
            fields,
        })
    }
}

#[derive(Default)]
struct Attributes {
    name: Option<LitStr>,
    pk: Option<Member>,
    facade: Option<Path>,
}

impl Attributes {
    fn set(&mut self, meta: &syn::meta::ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.require_ident()?.to_string();
        let twice = match name.as_str() {
            "name" => self.name.replace(meta.value()?.parse()?).is_some(),
            "pk" => self.pk.replace(member(&meta.value()?.parse()?)?).is_some(),
            "crate" => self.facade.replace(meta.value()?.call(Path::parse_mod_style)?).is_some(),
            _ => {
                return Err(
                    meta.error(format!("there is no option `{name}`; accepted are `name`, `pk`, `crate`"))
                );
            }
        };
        if twice { Err(meta.error(format!("`{name}` is given twice"))) } else { Ok(()) }
    }
}

/// The field itself, so that a message about its type stands there.
fn primary_key(model: &Ident, given: Option<Member>, fields: &[Member]) -> Result<Member> {
    let wanted = given.clone().unwrap_or_else(|| parse_quote!(id));
    if let Some(field) = fields.iter().find(|field| **field == wanted) {
        return Ok(field.clone());
    }
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.to_token_stream())).collect();
    let names = if names.is_empty() { "none: it has no fields".to_owned() } else { names.join(", ") };
    Err(match given {
        Some(given) => {
            let message =
                format!("`{model}` has no field `{}`; accepted are {names}", given.to_token_stream());
            Error::new(given.span(), message)
        }
        None => Error::new(
            model.span(),
            format!(
                "`{model}` has no field `id` for its primary key; name another by `#[model(pk = ..)]`; accepted are {names}"
            ),
        ),
    })
}

/// `pk = id`, `pk = "id"`, or `pk = 0` in a tuple struct.
fn member(value: &Expr) -> Result<Member> {
    let refuse = || Error::new(value.span(), "`pk` is the name of a field: `pk = id`");
    match value {
        Expr::Path(path) => path.path.get_ident().cloned().map(Member::Named).ok_or_else(refuse),
        Expr::Lit(ExprLit { lit: Lit::Int(index), .. }) => {
            index.base10_parse::<usize>().map(Member::from).map_err(|_| refuse())
        }
        _ => string(value).ok_or_else(refuse)?.parse().map(Member::Named),
    }
}
