//! Where on the server a lock is kept, with what belongs to it.

use crate::key::Key;

/// No key has a control character: what belongs to a lock never meets another lock's name.
const RECORD: &str = "\u{1f}holder";
const QUEUE: &str = "\u{1f}waiters";

/// The lock itself, its record, and the queue of its waiters.
pub(super) fn all(key: &Key) -> [String; 3] {
    [key.to_string(), format!("{key}{RECORD}"), format!("{key}{QUEUE}")]
}

/// The lock and its record.
pub(super) fn with_record(key: &Key) -> [String; 2] {
    [key.to_string(), format!("{key}{RECORD}")]
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
