//! Keys that are not written as templates.

use lock_core::Key;

/// The key of a bare name, which the body may still want.
pub fn cloned<K: Clone + Into<Key>>(key: &K) -> Key {
    key.clone().into()
}
