//! The syntax of the arguments: values first or between, options by name.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Result, Token};

use crate::template::Template;

/// The arguments of `#[lock(..)]` and `#[lock_model(..)]`, and of the blocks without their body.
#[derive(Default)]
pub(crate) struct Args {
    /// Values without a name: the template and its arguments, or field names, or the model.
    pub(crate) values: Vec<Expr>,
    /// Everything with a name.
    pub(crate) options: Vec<OptionArg>,
}

/// `name = value`, or a bare `name`.
pub(crate) struct OptionArg {
    pub(crate) name: Ident,
    pub(crate) value: Option<Expr>,
}

/// The words that stand alone; elsewhere a bare word is a value.
const WORDS: [&str; 4] = ["shared", "reentrant", "fair", "refresh"];

impl Args {
    /// Parses up to the end, or up to what `is_body` takes for the body of a block.
    pub(crate) fn parse_until(input: ParseStream<'_>, is_body: fn(ParseStream<'_>) -> bool) -> Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() && !is_body(input) {
            args.parse_one(input)?;
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(args)
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            let value = Some(bare(input.parse()?));
            self.options.push(OptionArg { name, value });
            return Ok(());
        }
        let value = bare(input.parse()?);
        match bare_word(&value) {
            Some(name) if self.open_placeholders() == 0 => self.options.push(OptionArg { name, value: None }),
            _ => self.values.push(value),
        }
        Ok(())
    }

    /// How many `{}` of the template still wait for their value: a bare `shared` may be an argument's name.
    fn open_placeholders(&self) -> usize {
        let Some(template) = self.template() else { return 0 };
        let wanted = Template::parse(&template).map_or(0, |template| template.positions());
        wanted.saturating_sub(self.values.len() - 1)
    }

    /// The leading string literal.
    pub(crate) fn template(&self) -> Option<LitStr> {
        self.values.first().and_then(string)
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Self::parse_until(input, |_| false)
    }
}

/// The word, if the expression is one of those that stand alone.
fn bare_word(value: &Expr) -> Option<Ident> {
    let Expr::Path(path) = value else { return None };
    let word = path.path.get_ident()?;
    WORDS.contains(&word.to_string().as_str()).then(|| word.clone())
}

/// The literal, if the expression is a string.
pub(crate) fn string(value: &Expr) -> Option<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

/// An expression without the invisible brackets that `macro_rules!` puts around its fragments.
fn bare(mut value: Expr) -> Expr {
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    value
}

/// Where to point for an option: at its value, or at its name where there is none.
impl OptionArg {
    pub(crate) fn span(&self) -> Span {
        self.value.as_ref().map_or_else(|| self.name.span(), Spanned::span)
    }
}
