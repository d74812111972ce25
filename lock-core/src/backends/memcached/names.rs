//! What the items of a lock are called on the server: at most 250 bytes, without spaces and control characters.

use crate::{backends::encoded::encoded, key::Key};

/// What is left of the server's 250 bytes beside the longest ending.
const LONGEST: usize = 250 - HOLDER.len();
const KEPT: usize = 150;

/// No name has a `#` but for these.
const TOKEN: &str = "#token";
const HOLDER: &str = "#holder";
const NEXT: &str = "#next";
/// An item that tells the server's time.
pub(super) const CLOCK: &str = "#lock-clock";

/// The names of a lock's items.
pub(super) struct Names {
    /// The lock itself.
    pub(super) lock: String,
    /// The last fencing token.
    pub(super) token: String,
    /// Who has it, for people.
    pub(super) holder: String,
    /// Who is to have it next.
    pub(super) next: String,
}

impl Names {
    pub(super) fn of(key: &Key) -> Self {
        let lock = encoded(key, |byte| byte.is_ascii_graphic() && !b"%~#".contains(&byte), LONGEST, KEPT);
        Self {
            token: format!("{lock}{TOKEN}"),
            holder: format!("{lock}{HOLDER}"),
            next: format!("{lock}{NEXT}"),
            lock,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_ordinary_key_stands_as_it_is() {
        let names = Names::of(&Key::from("lock:order:7/EU"));
        assert_eq!(names.lock, "lock:order:7/EU");
        assert_eq!(names.token, "lock:order:7/EU#token");
        assert_eq!(names.holder, "lock:order:7/EU#holder");
        assert_eq!(names.next, "lock:order:7/EU#next");
    }

    #[test]
    fn different_keys_have_different_names_that_the_server_takes() {
        let long = "x".repeat(1000);
        let keys = [
            "a",
            "A",
            "a b",
            "a%20b",
            "a#token",
            "a#holder",
            "a#next",
            "a~",
            "#lock-clock",
            "é",
            "e\u{301}",
            "a\u{a0}b",
            &format!("{long}1"),
            &format!("{long}2"),
            &"y".repeat(LONGEST),
            &"y".repeat(LONGEST + 1),
            &" ".repeat(100),
            // What a hashed one would be called, as a key.
            &Names::of(&Key::from(format!("{long}1"))).lock,
        ];
        let names: Vec<Names> = keys.iter().map(|key| Names::of(&Key::from(*key))).collect();
        let of_one = names.iter().map(|of| [&*of.lock, &*of.token, &*of.holder, &*of.next]);
        let all: HashSet<&str> = of_one.flatten().chain([CLOCK]).collect();
        assert_eq!(all.len(), keys.len() * 4 + 1);
        assert!(all.iter().all(|name| name.len() <= 250 && name.bytes().all(|byte| byte.is_ascii_graphic())));
    }
}
