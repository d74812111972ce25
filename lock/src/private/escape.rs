//! Values inside keys.

use std::fmt::{self, Display, Write};

/// A value as it stands in a key: the separator `:` is written `%3A` and the escape character `%` is written `%25`.
///
/// So a value cannot reach over the separators of its template, and a value without either stands unchanged.
#[derive(Debug)]
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find([':', '%']) {
            self.0.write_str(&rest[..at])?;
            self.0.write_str(if rest[at..].starts_with(':') { "%3A" } else { "%25" })?;
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn a_value_without_separator_or_escape_character_stands_unchanged() {
        assert_eq!(Escaped("Zoë/7 {x}").to_string(), "Zoë/7 {x}");
    }

    #[test]
    fn different_values_never_meet() {
        let key = |a: &str, b: &str| format!("{}:{}", Escaped(a), Escaped(b));
        assert_ne!(key("a:b", "c"), key("a", "b:c"));
        assert_ne!(key("a%3Ab", "c"), key("a:b", "c"));
        assert_ne!(key("", "a"), key("a", ""));
    }
}
