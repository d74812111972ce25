//! The values of options, each by the one reading it has.

use quote::format_ident;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result};

use crate::args::{OptionArg, string};
use crate::model::OnLost;

/// The value of an option that takes one.
pub(crate) fn value<'a>(name: &str, option: &'a OptionArg) -> Result<&'a Expr> {
    option
        .value
        .as_ref()
        .ok_or_else(|| Error::new(option.name.span(), format!("`{name}` takes a value: `{name} = ..`")))
}

/// `true` or `false`: what the call returns depends on it, so it is known while compiling.
pub(crate) fn boolean(name: &str, option: &OptionArg) -> Result<bool> {
    match option.value.as_ref() {
        Some(Expr::Lit(ExprLit { lit: Lit::Bool(boolean), .. })) => Ok(boolean.value),
        _ => Err(Error::new(option.span(), format!("`{name}` is `true` or `false`, written out"))),
    }
}

/// `guard = NAME`.
pub(crate) fn identifier(value: &Expr) -> Result<Ident> {
    match value {
        Expr::Path(path) => path.path.get_ident().cloned(),
        Expr::Infer(infer) => Some(format_ident!("_guard", span = infer.underscore_token.spans[0])),
        _ => None,
    }
    .ok_or_else(|| {
        Error::new(value.span(), "`guard` is the name the body uses for the guard: `guard = lease`")
    })
}

/// `"cancel"` or `"continue"`.
pub(crate) fn on_lost(value: &Expr) -> Result<OnLost> {
    match string(value).map(|text| text.value()).as_deref() {
        Some("cancel") => Ok(OnLost::Cancel),
        Some("continue") => Ok(OnLost::Continue),
        _ => Err(Error::new(value.span(), "`on_lost` is \"cancel\" or \"continue\"")),
    }
}

/// `crate = PATH`.
pub(crate) fn path(value: &Expr) -> Result<Path> {
    match value {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => match string(value) {
            Some(text) => text.parse_with(Path::parse_mod_style),
            None => {
                Err(Error::new(value.span(), "`crate` is the path of the facade: `crate = my_crate::lock`"))
            }
        },
    }
}

/// A field of a model.
pub(crate) fn field(value: &Expr) -> Result<LitStr> {
    string(value)
        .ok_or_else(|| Error::new(value.span(), "a field is named by a string literal: \"first_name\""))
}

/// Several fields of a model.
pub(crate) fn list(value: &Expr) -> Result<Vec<LitStr>> {
    let Expr::Array(array) = value else {
        return Err(Error::new(
            value.span(),
            "`fields` is a list of names: `fields = [\"first_name\", \"last_name\"]`",
        ));
    };
    if array.elems.is_empty() {
        return Err(Error::new(
            value.span(),
            "`fields` names no field; leave it out to lock by the primary key",
        ));
    }
    array.elems.iter().map(field).collect()
}
