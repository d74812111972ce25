//! What is locked.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::error::Error;

/// The longest key, prefix included, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// The name of a lock.
///
/// ```
/// use lock_core::Key;
///
/// let key = Key::from(format!("order:{}", 7));
/// assert_eq!(key.as_str(), "order:7");
/// ```
///
/// A key as it is given is only text. A [`Locker`](crate::Locker) puts its prefix in front and checks the whole once:
/// 1 to 4,096 bytes, no control characters. A key that does not fit is reported by the call that would use it, as
/// [`Error::InvalidKey`]. Keys are compared byte by byte: letter case and normal form make a difference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Key {
    /// A key from text known when the program was compiled: nothing is copied.
    pub const fn from_static(name: &'static str) -> Self {
        Self(Text::Static(name))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// `prefix` + `name`, checked: the form in which backends see a key.
    pub(crate) fn qualified(prefix: &str, name: &Self) -> Result<Self, Error> {
        let name = name.as_str();
        let refuse = |reason: &str| Err(Error::invalid_key(name, reason));
        if name.is_empty() {
            return refuse("it is empty; a key has 1 to 4,096 bytes, prefix included");
        }
        let length = prefix.len() + name.len();
        if length > LONGEST {
            return refuse(&format!(
                "with its prefix it has {length} bytes; a key has 1 to 4,096 bytes, prefix included"
            ));
        }
        if let Some(control) = name.chars().find(|c| c.is_control()) {
            return refuse(&format!(
                "it contains the control character {control:?}; a key is printable text without line breaks or NUL"
            ));
        }
        let mut text = String::with_capacity(length);
        text.push_str(prefix);
        text.push_str(name);
        Ok(Self::from(text))
    }
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shared(a), Self::Shared(b)) if Arc::ptr_eq(a, b) => true,
            _ => self.as_str() == other.as_str(),
        }
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<&String> for Key {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<Cow<'_, str>> for Key {
    fn from(name: Cow<'_, str>) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_and_name_make_the_key() {
        let key = Key::qualified("app:", &Key::from("job")).map(|key| key.to_string());
        assert_eq!(key.ok().as_deref(), Some("app:job"));
    }

    #[test]
    fn what_cannot_be_a_key_is_named() {
        for (name, said) in [
            (String::new(), "empty"),
            ("x".repeat(1 << 20), "1048577 bytes"),
            ("two\nlines".into(), r"'\n'"),
            ("nul\0".into(), r"'\0'"),
        ] {
            let error = Key::qualified("p", &Key::from(&name)).map_err(|error| error.to_string());
            let Err(text) = error else { panic!("{name:?} was accepted") };
            assert!(text.contains(said), "{text}");
            assert!(text.len() < 400, "a long key is cut short: {}", text.len());
        }
    }

    #[test]
    fn the_longest_key_is_a_key() {
        assert!(Key::qualified("p", &Key::from("x".repeat(LONGEST - 1))).is_ok());
    }
}
