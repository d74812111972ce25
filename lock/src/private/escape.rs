//! Values inside keys.

use std::fmt::{self, Display, Write};

/// A value as it stands in a key, with the character that ends it: `Escaped(value, ':')`.
///
/// That character, `:` and the escape character `%` are written as `%` and two hexadecimal digits for each byte. So a
/// value cannot reach over the text that parts it from the next, and a value without these stands unchanged.
#[derive(Debug)]
pub struct Escaped<T>(pub T, pub char);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f, self.1), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>, char);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find([':', '%', self.1]) {
            self.0.write_str(&rest[..at])?;
            let Some(character) = rest[at..].chars().next() else { break };
            let after = at + character.len_utf8();
            for byte in &rest.as_bytes()[at..after] {
                write!(self.0, "%{byte:02X}")?;
            }
            rest = &rest[after..];
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn a_value_without_separator_or_escape_character_stands_unchanged() {
        assert_eq!(Escaped("Zoë/7 {x}", '-').to_string(), "Zoë/7 {x}");
    }

    #[test]
    fn different_values_never_meet() {
        for separator in [':', '-', '2', 'x', 'é'] {
            let key = |a: &str, b: &str| format!("{}{separator}{}", Escaped(a, separator), Escaped(b, ':'));
            let parts = ["", "a", "2", "25", ":", "%", "-", "x", "é"];
            let values: Vec<String> = parts.iter().flat_map(|a| parts.map(|b| format!("{a}{b}"))).collect();
            let mut seen = std::collections::HashMap::new();
            for a in &values {
                for b in &values {
                    if let Some(other) = seen.insert(key(a, b), (a, b)) {
                        assert_eq!(other, (a, b), "by {separator:?}");
                    }
                }
            }
        }
    }
}
