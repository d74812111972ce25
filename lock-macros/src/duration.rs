//! Durations: `"1.5s"` and numbers of seconds, checked while compiling, or any expression.

use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Lit, Result, UnOp};

/// A duration as written.
pub(crate) enum DurationArg {
    Known(Duration),
    /// Evaluated when the function is called.
    Later(Expr),
}

impl DurationArg {
    pub(crate) fn new(name: &str, value: &Expr) -> Result<Self> {
        match value {
            Expr::Lit(ExprLit { lit, .. }) => literal(name, lit).map(Self::Known),
            Expr::Unary(negated)
                if matches!(negated.op, UnOp::Neg(_)) && matches!(*negated.expr, Expr::Lit(_)) =>
            {
                Err(Error::new(value.span(), format!("`{name}` cannot be negative")))
            }
            _ => Ok(Self::Later(value.clone())),
        }
    }

    /// A lease: the range of `Ttl`.
    pub(crate) fn ttl(name: &str, value: &Expr) -> Result<Self> {
        let longest = Duration::from_hours(10 * 365 * 24);
        Self::within(name, value, Duration::from_millis(100)..=longest, "100ms to 10 years")
    }

    /// An interval: the range of `Retry`.
    pub(crate) fn retry(name: &str, value: &Expr) -> Result<Self> {
        Self::within(name, value, Duration::from_millis(1)..=Duration::from_hours(1), "1ms to 1 hour")
    }

    fn within(name: &str, value: &Expr, range: RangeInclusive<Duration>, accepted: &str) -> Result<Self> {
        match Self::new(name, value)? {
            Self::Known(duration) if !range.contains(&duration) => {
                let message = format!("`{name}` is out of range: {duration:?}; accepted are {accepted}");
                Err(Error::new(value.span(), message))
            }
            duration => Ok(duration),
        }
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Known(duration) => {
                let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
                quote_spanned!(Span::mixed_site()=> ::core::time::Duration::new(#seconds, #nanos))
            }
            Self::Later(value) => quote!(#value),
        }
    }
}

fn literal(name: &str, literal: &Lit) -> Result<Duration> {
    let refuse = |given: &str| {
        let what = format!(
            "`{name}` is not a duration: {given}; accepted are a number with a unit (\"100ms\", \"1.5s\", \"2m\"), \
             a number of seconds, and an expression of type `Duration`"
        );
        Error::new(literal.span(), what)
    };
    match literal {
        Lit::Str(text) => {
            humantime::parse_duration(&text.value()).map_err(|_| refuse(&format!("{:?}", text.value())))
        }
        Lit::Int(number) if number.suffix().is_empty() => {
            number.base10_parse().map(Duration::from_secs).map_err(|_| refuse(&number.to_string()))
        }
        Lit::Float(number) if number.suffix().is_empty() => number
            .base10_parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| refuse(&number.to_string())),
        other => Err(refuse(&quote!(#other).to_string())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn known(value: &Expr) -> Option<Duration> {
        match DurationArg::new("wait", value) {
            Ok(DurationArg::Known(duration)) => Some(duration),
            _ => None,
        }
    }

    #[test]
    fn text_and_numbers_of_seconds_are_known() {
        assert_eq!(known(&parse_quote!("1.5s")), Some(Duration::from_millis(1500)));
        assert_eq!(known(&parse_quote!("2m 1s")), Some(Duration::from_secs(121)));
        assert_eq!(known(&parse_quote!(3)), Some(Duration::from_secs(3)));
        assert_eq!(known(&parse_quote!(0.25)), Some(Duration::from_millis(250)));
        assert_eq!(known(&parse_quote!(0)), Some(Duration::ZERO));
    }

    #[test]
    fn what_cannot_be_a_duration_is_refused() {
        for value in [
            parse_quote!("5"),
            parse_quote!(""),
            parse_quote!(-1),
            parse_quote!(5u8),
            parse_quote!(1e300),
            parse_quote!('s'),
        ] {
            assert!(DurationArg::new("wait", &value).is_err());
        }
        for outside in [parse_quote!("0s"), parse_quote!("99ms"), parse_quote!("11 years")] {
            assert!(DurationArg::ttl("ttl", &outside).is_err());
        }
        for outside in [parse_quote!(0), parse_quote!("999us"), parse_quote!("61m")] {
            assert!(DurationArg::retry("retry", &outside).is_err());
        }
        assert!(DurationArg::ttl("ttl", &parse_quote!("100ms")).is_ok());
        assert!(DurationArg::retry("retry", &parse_quote!("1h")).is_ok());
    }

    #[test]
    fn any_other_expression_is_left_to_the_program() {
        assert!(matches!(DurationArg::new("wait", &parse_quote!(self.limit)), Ok(DurationArg::Later(_))));
    }
}
