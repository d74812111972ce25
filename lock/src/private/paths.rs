//! The path of a function as its key: the module, the functions and the type it stands in, its name.
//!
//! Two of one name in one module would exclude each other without what they stand in. That is known to the compiler
//! alone, which writes it into the names of types: `crate::module::outer::inner::Here` for a type in a nested function,
//! `<crate::module::Type<_> as crate::module::Trait>::method::Here` in a method. How it is written is not promised, so
//! what does not look like this leaves `crate::module::name`.
//!
//! Type parameters, closures and nameless constants have no part in a key.

use lock_core::Key;

/// The path of a function that knows of no `Self`. `Here` is a type declared in its body.
pub fn own_path<Here>(module: &str, name: &str) -> Key {
    let here = std::any::type_name::<Here>();
    let path = here.rsplit_once("::").map_or("", |(path, _)| path);
    let plain = path.strip_prefix(module).and_then(|rest| rest.strip_prefix("::")) == Some(name);
    if plain {
        return Key::from_static(path);
    }
    match inside(module, path) {
        Some(inside) if inside.last() == Some(&name) => joined(module, &inside),
        _ => joined(module, &[name]),
    }
}

/// The path of a method: what its type stands in, the type's own name without its generics, the method.
pub fn method_path<T: ?Sized>(module: &str, method: &str) -> Key {
    let mut inside = within(module, std::any::type_name::<T>());
    inside.push(method);
    joined(module, &inside)
}

fn joined(module: &str, inside: &[&str]) -> Key {
    let mut path = String::from(module);
    for name in inside {
        path.push_str("::");
        path.push_str(name);
    }
    Key::from(path)
}

/// The names of a type from below the module on; of one from elsewhere, its own name.
fn within<'a>(module: &str, path: &'a str) -> Vec<&'a str> {
    if let Some(inside) = inside(module, path).filter(|names| !names.is_empty()) {
        return inside;
    }
    let plain = path.split('<').next().unwrap_or(path);
    let own = plain.rsplit("::").next().unwrap_or(plain);
    let own = own.trim_matches(|c: char| !is_of_a_name(c));
    if own.is_empty() { Vec::new() } else { vec![own] }
}

/// The names of a path from below the module on; `None` if it does not lead there, or not by names alone.
fn inside<'a>(module: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut segments = match path.strip_prefix(module) {
        Some(rest) => segments(rest.strip_prefix("::")?),
        None => segments(path),
    };
    let begins_inside = path.starts_with(module);
    let mut names = Vec::new();
    for (at, segment) in segments.drain(..).enumerate() {
        if let Some(implementation) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            names.extend(within(module, implementor(implementation)));
        } else if at == 0 && !begins_inside {
            return None;
        } else if segment.starts_with('{') || segment == "_" {
            // A closure, or a constant without a name.
        } else {
            let name = segment.split('<').next().unwrap_or(segment);
            if !name.chars().all(is_of_a_name) {
                return None;
            }
            names.push(name);
        }
    }
    Some(names)
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The type of `Type as Trait`, `impl Type` and `impl Trait for Type`.
fn implementor(implementation: &str) -> &str {
    if let Some(implementation) = implementation.strip_prefix("impl ") {
        return parts(implementation, " for ").last().copied().unwrap_or(implementation);
    }
    parts(implementation, " as ").first().copied().unwrap_or(implementation)
}

fn segments(path: &str) -> Vec<&str> {
    parts(path, "::")
}

/// What stands between separators that are in no brackets.
fn parts<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let (mut parts, mut depth, mut begin, mut before) = (Vec::new(), 0_usize, 0, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            // The arrow of a function's type is no bracket.
            '>' if before == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= begin && text[at..].starts_with(separator) => {
                parts.push(&text[begin..at]);
                begin = at + separator.len();
            }
            _ => {}
        }
        before = c;
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Option<String> {
        inside("a::m", path).map(|names| names.join("::"))
    }

    #[test]
    fn what_a_function_stands_in_is_in_its_path() {
        for (path, expected) in [
            ("a::m::f", "f"),
            ("a::m::outer::f", "outer::f"),
            ("a::m::outer::{{closure}}::f", "outer::f"),
            ("a::m::outer::{closure#0}::f", "outer::f"),
            ("a::m::_::f", "f"),
            ("a::m::User::f", "User::f"),
            ("a::m::G<_>::f", "G::f"),
            ("a::m::G<alloc::vec::Vec<a::m::User>>::f", "G::f"),
            ("a::m::<impl a::User>::f", "User::f"),
            ("a::m::<impl a::m::t::User<_>>::f", "t::User::f"),
            ("a::m::<impl a::Tr<u8> for a::User>::f", "User::f"),
            ("<a::m::User as a::m::Tr>::f", "User::f"),
            ("<a::m::outer::User as a::m::Tr>::f", "outer::User::f"),
            ("<alloc::vec::Vec<a::m::User> as a::m::Tr>::f", "Vec::f"),
            ("<&str as a::m::Tr>::f::inner", "str::f::inner"),
            ("<dyn Fn(u8) -> a::m::G<u8> + Send as a::m::Tr>::f", "G::f"),
        ] {
            assert_eq!(names(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_or_is_written_otherwise_is_not_used() {
        for path in ["", "b::f", "a::mod::f", "a::m", "a::m::f#1", "a::m::f::&"] {
            assert_eq!(names(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_that_is_not_understood_leaves_module_and_name() {
        enum Here {}
        assert_eq!(own_path::<Here>("elsewhere", "f").as_str(), "elsewhere::f");
        assert_eq!(own_path::<u8>("a::m", "f").as_str(), "a::m::f");
    }

    #[test]
    fn types_without_a_name_have_something_of_one() {
        assert_eq!(method_path::<[u8]>("a::m", "f").as_str(), "a::m::u8::f");
        assert_eq!(method_path::<()>("a::m", "f").as_str(), "a::m::f");
        assert_eq!(method_path::<Vec<String>>("a::m", "f").as_str(), "a::m::Vec::f");
    }
}
