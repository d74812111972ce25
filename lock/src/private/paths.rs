//! Keys that are not written as templates.

use lock_core::Key;

/// The key of a bare name, which the body may still want.
pub fn cloned<K: Clone + Into<Key>>(key: &K) -> Key {
    key.clone().into()
}

/// The path of a method: the module, the type's own name without its generics, the method.
///
/// Without the type, methods of one name in one module would exclude each other.
pub fn method_path<T: ?Sized>(module: &str, method: &str) -> Key {
    let full = std::any::type_name::<T>();
    let plain = full.split('<').next().unwrap_or(full);
    let own = plain.rsplit("::").next().unwrap_or(plain);
    let own = own.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
    Key::from(if own.is_empty() {
        format!("{module}::{method}")
    } else {
        format!("{module}::{own}::{method}")
    })
}
