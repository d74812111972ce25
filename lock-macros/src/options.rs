//! From arguments to meaning: every option by its name, each at most once.

use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Result, parse_quote};

use crate::args::{Args, OptionArg};
use crate::duration::DurationArg;
use crate::model::{Call, KeySource, ModelKey, Refresh, Settings};
use crate::template::{Piece, Placeholder, Template};
use crate::values::{boolean, field, identifier, list, on_lost, path, value};

/// The options of every spelling, in the order of the manual.
const COMMON: [&str; 10] =
    ["blocking", "wait", "ttl", "renew", "retry", "using", "guard", "otherwise", "on_lost", "crate"];

/// Understood, and refused until a later release.
const LATER: [&str; 5] = ["shared", "permits", "keys", "reentrant", "fair"];

/// What the options alone say; the key is the spelling's own.
struct Options {
    call: Call,
    key: Option<Expr>,
    name: Option<Expr>,
    fields: Option<Vec<LitStr>>,
    refresh: Option<Refresh>,
    /// Names that a template may ask for.
    named: Vec<(Ident, Expr)>,
}

/// `#[lock(..)]` and `lock!(..)`.
pub(crate) fn lock(args: Args) -> Result<Call> {
    let template = args.template().map(|literal| Template::parse(&literal)).transpose()?;
    let read = Options::read(args.options, &["key"], template.as_ref())?;
    let mut call = read.call;
    let mut values = args.values.into_iter();
    call.key = match (template, read.key) {
        (Some(_), Some(key)) => {
            return Err(Error::new(key.span(), "the key is given twice: as a template and as `key = ..`"));
        }
        (Some(template), None) => {
            let positional: Vec<Expr> = values.skip(1).collect();
            check_count(&template, &positional)?;
            KeySource::Template { template, positional, named: read.named }
        }
        (None, key) => {
            if let Some(value) = values.next() {
                return Err(Error::new(
                    value.span(),
                    "the key is a string literal, as in \"user:{id}\"; for any other expression write `key = ..`",
                ));
            }
            key.map_or(KeySource::OwnPath, KeySource::Expr)
        }
    };
    Ok(call)
}

/// `#[lock_model(..)]`, and `lock_model!(..)` once its model is taken out.
pub(crate) fn lock_model(model: Option<Expr>, args: Args) -> Result<Call> {
    let mut fields = Vec::new();
    for value in &args.values {
        fields.push(field(value)?);
    }
    let read = Options::read(args.options, &["field", "fields", "name", "refresh"], None)?;
    match read.fields {
        Some(more) if fields.is_empty() => fields = more,
        Some(more) => {
            let span = more.first().map_or_else(proc_macro2::Span::call_site, LitStr::span);
            return Err(Error::new(span, "the fields are given twice: by position and by name"));
        }
        None => {}
    }
    let key = ModelKey { model, name: read.name, fields, refresh: read.refresh };
    Ok(Call { key: KeySource::Model(Box::new(key)), ..read.call })
}

impl Options {
    fn read(options: Vec<OptionArg>, own: &[&str], template: Option<&Template>) -> Result<Self> {
        let mut read = Self {
            call: Call {
                key: KeySource::OwnPath,
                settings: Settings::default(),
                facade: parse_quote!(::lock),
                using: None,
                guard: None,
                otherwise: None,
                on_lost: None,
                later: Vec::new(),
            },
            key: None,
            name: None,
            fields: None,
            refresh: None,
            named: Vec::new(),
        };
        let mut seen: Vec<String> = Vec::new();
        let mut errors: Option<Error> = None;
        for option in options {
            let name = option.name.to_string();
            let result = if seen.contains(&name) {
                Err(Error::new(option.name.span(), format!("`{name}` is given twice")))
            } else if LATER.contains(&name.as_str()) {
                read.call.later.push(option.name);
                Ok(())
            } else if COMMON.contains(&name.as_str()) || own.contains(&name.as_str()) {
                read.set(&name, option)
            } else if template.is_some_and(|template| asks_for(template, &name)) {
                let OptionArg { name, value } = option;
                read.named.extend(value.map(|value| (name, value)));
                Ok(())
            } else {
                Err(unknown(&option, own))
            };
            seen.push(name);
            if let Err(error) = result {
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
            }
        }
        errors.map_or(Ok(read), Err)
    }

    fn set(&mut self, name: &str, option: OptionArg) -> Result<()> {
        let settings = &mut self.call.settings;
        if name == "refresh" {
            self.refresh = refresh(option);
            return Ok(());
        }
        let value = value(name, &option)?;
        match name {
            "blocking" => settings.blocking = Some((boolean(name, &option)?, option.name.clone())),
            "renew" => settings.renew = Some(boolean(name, &option)?),
            "wait" => settings.wait = Some((DurationArg::new(name, value)?, option.name.clone())),
            "ttl" => settings.ttl = Some(DurationArg::ttl(name, value)?),
            "retry" => settings.retry = Some(DurationArg::retry(name, value)?),
            "using" => self.call.using = Some(value.clone()),
            "guard" => self.call.guard = Some(identifier(value)?),
            "otherwise" => self.call.otherwise = Some(value.clone()),
            "on_lost" => self.call.on_lost = Some((on_lost(value)?, option.name.clone())),
            "crate" => self.call.facade = path(value)?,
            "key" => self.key = Some(value.clone()),
            "name" => self.name = Some(value.clone()),
            "field" => self.set_fields(vec![field(value)?], value)?,
            _ => self.set_fields(list(value)?, value)?,
        }
        Ok(())
    }

    fn set_fields(&mut self, fields: Vec<LitStr>, at: &Expr) -> Result<()> {
        if self.fields.is_some() {
            return Err(Error::new(at.span(), "the fields are given twice: as `field` and as `fields`"));
        }
        self.fields = Some(fields);
        Ok(())
    }
}

/// `refresh`, `refresh = true`, `refresh = false` and `refresh = self.reload(db)`.
fn refresh(option: OptionArg) -> Option<Refresh> {
    let by = match option.value {
        Some(Expr::Lit(ExprLit { lit: Lit::Bool(wanted), .. })) => {
            if !wanted.value {
                return None;
            }
            None
        }
        by => by,
    };
    Some(Refresh { at: option.name, by })
}

fn unknown(option: &OptionArg, own: &[&str]) -> Error {
    let given = &option.name;
    let accepted: Vec<String> = own.iter().chain(&COMMON).map(|name| format!("`{name}`")).collect();
    Error::new(given.span(), format!("there is no option `{given}`; accepted are {}", accepted.join(", ")))
}

fn asks_for(template: &Template, name: &str) -> bool {
    template
        .pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Value { value: Placeholder::Name(asked), .. } if asked == name))
}

fn check_count(template: &Template, positional: &[Expr]) -> Result<()> {
    let wanted = template.positions();
    if let Some(extra) = positional.get(wanted) {
        let message = match wanted {
            0 => "the key has no `{}` for this value".to_owned(),
            _ => format!("the key takes {wanted} values by position, and this is one more"),
        };
        return Err(Error::new(extra.span(), message));
    }
    if positional.len() < wanted {
        let given = positional.len();
        return Err(Error::new(
            template.span,
            format!("the key takes {wanted} values by position; given: {given}"),
        ));
    }
    Ok(())
}
