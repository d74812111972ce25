//! Keys as names for a store that does not take any text for one.

use crate::key::Key;

/// A name in ASCII, different for different keys.
///
/// What `stands` says stands for itself, every other byte as `%` and two hexadecimal digits. Of a name longer than
/// `longest` the first `kept` bytes stay, followed by `~` and the SHA-256 of the key: so neither `%` nor `~` may stand
/// for itself.
pub(super) fn encoded(key: &Key, stands: impl Fn(u8) -> bool, longest: usize, kept: usize) -> String {
    let key = key.as_str();
    let mut name = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        if byte.is_ascii() && stands(byte) {
            name.push(char::from(byte));
        } else {
            push_hexadecimal(&mut name, Some('%'), byte);
        }
    }
    if name.len() > longest {
        name.truncate(kept);
        name.push('~');
        for byte in hmac_sha256::Hash::hash(key.as_bytes()) {
            push_hexadecimal(&mut name, None, byte);
        }
    }
    name
}

fn push_hexadecimal(name: &mut String, before: Option<char>, byte: u8) {
    name.extend(before);
    for half in [byte >> 4, byte & 15] {
        name.extend(char::from_digit(u32::from(half), 16));
    }
}
