//! Key templates: `"user:{user_id}"`, `"{}:{}"`, `"{order.id:>8}"`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Error, Expr, Ident, LitStr, Result};

/// A template, cut into its text and its placeholders.
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) span: Span,
}

pub(crate) enum Piece {
    /// Literal text, braces unescaped.
    Text(String),
    /// `{value:spec}`; the spec keeps its colon.
    Value { value: Placeholder, spec: String },
}

pub(crate) enum Placeholder {
    /// `{}` or `{0}`: an argument by its position.
    Position(usize),
    /// `{user_id}`: a variable in scope, or an argument by its name.
    Name(Ident),
    /// `{user.id}`: any longer expression.
    Expr(Box<Expr>),
}

impl Template {
    pub(crate) fn parse(literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        let span = literal.span();
        if text.is_empty() {
            return Err(Error::new(span, "the key is empty"));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return Err(Error::new(
                span,
                format!("a key has no control characters, and this one has {control:?}"),
            ));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut next = 0;
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(Error::new(
                    span,
                    "a `}` without its `{` in the key; a brace that stands for itself is `}}`",
                ));
            }
            let end = closing(rest).ok_or_else(|| {
                Error::new(span, "a `{` without its `}` in the key; a brace that stands for itself is `{{`")
            })?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(placeholder(&rest[..end], &mut next, span)?);
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let template = Self { pieces, span };
        template.refuse_touching_values()?;
        template.refuse_escape_as_end()?;
        Ok(template)
    }

    /// How many arguments the template takes by position.
    pub(crate) fn positions(&self) -> usize {
        let positions = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value { value: Placeholder::Position(position), .. } => Some(position + 1),
            _ => None,
        });
        positions.max().unwrap_or(0)
    }

    /// The key, where nothing is interpolated.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The character that ends the value at a place: the first of the text before the next value.
    pub(crate) fn end_of(&self, place: usize) -> char {
        let more = self.pieces[place + 1..].iter().any(|piece| matches!(piece, Piece::Value { .. }));
        match self.pieces.get(place + 1) {
            Some(Piece::Text(text)) if more => text.chars().next().unwrap_or(':'),
            _ => ':',
        }
    }

    /// After a value, a `%` of the template could be taken for the beginning of an escaped character.
    fn refuse_escape_as_end(&self) -> Result<()> {
        let ended = (0..self.pieces.len())
            .any(|place| matches!(self.pieces[place], Piece::Value { .. }) && self.end_of(place) == '%');
        if ended {
            return Err(Error::new(
                self.span,
                "a `%` cannot part two values in the key, as it is the escape character; use another: `{a}:{b}`",
            ));
        }
        Ok(())
    }

    /// `{a}{b}` gives ("x", "yz") and ("xy", "z") one key, and no escape of ours could part them.
    fn refuse_touching_values(&self) -> Result<()> {
        let touching =
            self.pieces.windows(2).any(|pair| matches!(pair, [Piece::Value { .. }, Piece::Value { .. }]));
        if touching {
            return Err(Error::new(
                self.span,
                "two values stand side by side in the key, so that different values could meet in one lock; \
                 separate them: `{a}:{b}`",
            ));
        }
        Ok(())
    }
}

/// The end of a placeholder; braces inside an expression come in pairs.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn placeholder(text: &str, next: &mut usize, span: Span) -> Result<Piece> {
    let (value, spec) = text.split_at(colon(text).unwrap_or(text.len()));
    let value = value.trim();
    if spec.contains(".*")
        || spec
            .split('$')
            .next()
            .is_some_and(|width| width.ends_with(|c: char| c.is_ascii_digit()) && spec.contains('$'))
    {
        return Err(Error::new(
            span,
            "a width or precision by position does not work in a key; name it: `{value:width$}`",
        ));
    }
    let value = if value.is_empty() {
        *next += 1;
        Placeholder::Position(*next - 1)
    } else if let Ok(position) = value.parse() {
        Placeholder::Position(position)
    } else {
        expression(value, span)?
    };
    Ok(Piece::Value { value, spec: spec.to_owned() })
}

/// The colon that opens the format spec: not one of a path's, not one inside parentheses.
fn colon(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => match characters.peek() {
                Some((_, ':')) => {
                    characters.next();
                }
                _ => return Some(at),
            },
            _ => {}
        }
    }
    None
}

fn expression(text: &str, span: Span) -> Result<Placeholder> {
    // At the literal, but resolved and linted as generated code.
    let span = Span::call_site().located_at(span);
    let parsed =
        text.parse::<TokenStream>().ok().and_then(|tokens| syn::parse2::<Expr>(at(tokens, span)).ok());
    match parsed {
        Some(Expr::Path(path)) if path.path.get_ident().is_some_and(|name| name != "self") => Ok(path
            .path
            .get_ident()
            .cloned()
            .map_or_else(|| Placeholder::Expr(Box::new(Expr::Path(path))), Placeholder::Name)),
        Some(value) => Ok(Placeholder::Expr(Box::new(value))),
        None => Err(Error::new(
            span,
            format!("`{{{text}}}` in the key is not an expression; a brace that stands for itself is `{{{{`"),
        )),
    }
}

/// The same tokens, located at the template.
fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let located = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let mut moved = proc_macro2::Group::new(group.delimiter(), at(group.stream(), span));
            moved.set_span(span);
            return TokenTree::Group(moved);
        }
        token.set_span(span);
        token
    });
    located.collect()
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use quote::ToTokens;

    use super::*;

    fn parse(text: &str) -> Result<Vec<String>> {
        let template = Template::parse(&LitStr::new(text, Span::call_site()))?;
        let pieces = template.pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => format!("text {text}"),
            Piece::Value { value: Placeholder::Position(index), spec } => format!("position {index}{spec}"),
            Piece::Value { value: Placeholder::Name(name), spec } => format!("name {name}{spec}"),
            Piece::Value { value: Placeholder::Expr(value), spec } => {
                format!("expr {}{spec}", value.to_token_stream())
            }
        });
        Ok(pieces.collect())
    }

    #[test]
    fn placeholders_by_name_by_position_and_by_expression() {
        assert_eq!(parse("user:{id}").unwrap(), ["text user:", "name id"]);
        assert_eq!(
            parse("{}:{1:?}:{}").unwrap(),
            ["position 0", "text :", "position 1:?", "text :", "position 1"]
        );
        assert_eq!(parse("{self.id:>5}").unwrap(), ["expr self . id:>5"]);
        assert_eq!(
            parse("{Self::ID}/{f(a, b::c)}").unwrap(),
            ["expr Self :: ID", "text /", "expr f (a , b :: c)"]
        );
        assert_eq!(parse("{pair.0}").unwrap(), ["expr pair . 0"]);
    }

    #[test]
    fn braces_that_stand_for_themselves() {
        assert_eq!(parse("{{{a}}}").unwrap(), ["text {", "name a", "text }"]);
        assert!(parse("{a").is_err() && parse("a}").is_err());
    }

    #[test]
    fn values_side_by_side_are_refused() {
        assert!(parse("{a}{b}").is_err());
        assert!(parse("{a}-{b}").is_ok());
        assert!(parse("{a}%{b}").is_err());
        assert!(parse("%{a}:{b}%").is_ok());
    }
}
