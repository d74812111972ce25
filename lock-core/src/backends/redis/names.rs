//! Where on the server a lock is kept, with what belongs to it.

use std::io::Write as _;

use redis::{Cmd, RedisWrite as _};

use crate::key::Key;

/// No key has a control character: what belongs to a lock never meets another lock's name.
const RECORD: &str = "\u{1f}holder";
const QUEUE: &str = "\u{1f}waiters";

/// A name on the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a>(&'a Key, &'static str);

impl Name<'_> {
    /// Makes it the next argument of a command.
    pub(super) fn write_to(&self, command: &mut Cmd) {
        let mut argument = command.writer_for_next_arg();
        for part in [self.0.as_str(), self.1] {
            // Into memory, which cannot fail.
            drop(argument.write_all(part.as_bytes()));
        }
    }
}

/// The lock itself, its record, and the queue of its waiters.
pub(super) const fn all(key: &Key) -> [Name<'_>; 3] {
    [Name(key, ""), Name(key, RECORD), Name(key, QUEUE)]
}

/// The lock and its record.
pub(super) const fn with_record(key: &Key) -> [Name<'_>; 2] {
    [Name(key, ""), Name(key, RECORD)]
}

/// What the records of all locks under a prefix match, as a pattern of the server.
pub(super) fn records_under(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + RECORD.len() + 1);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "*" + RECORD
}

/// The lock of a record.
pub(super) fn of_record(name: &str) -> Option<Key> {
    name.strip_suffix(RECORD).map(Key::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_text_and_no_pattern() {
        assert_eq!(records_under("app*[1]:"), "app\\*\\[1\\]:*\u{1f}holder");
        assert_eq!(of_record("lock:k\u{1f}holder"), Some(Key::from("lock:k")));
        assert_eq!(of_record("lock:k"), None);
    }
}
