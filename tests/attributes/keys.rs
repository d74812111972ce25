//! Which key a call takes.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicU32, Ordering};

use lock::prelude::*;
use lock::{Guard, lock};

use crate::{LOCKER, is_locked};

/// The name without the configured prefix, which the key of a guard may carry.
fn key(guard: &Guard) -> String {
    let key = guard.key();
    key.strip_prefix("lock:").unwrap_or(key).to_owned()
}

#[lock("user:{user_id}", using = LOCKER, guard = guard)]
fn captured(user_id: u64) -> String {
    key(guard)
}

#[lock("{}:{}", a, b, using = LOCKER, guard = guard)]
fn two(a: &str, b: &str) -> String {
    key(guard)
}

#[lock("{n:>4}:{n:04x}:{text:?}:{{}}:{0}", n + 1, using = LOCKER, guard = guard)]
fn specs(n: u8, text: &str) -> String {
    key(guard)
}

#[lock("{user.id}:{}:{name}:{pair.0:>width$}", user.name.len(), name = user.name, using = LOCKER, guard = guard)]
fn longer(user: User, pair: (u8, u8), width: usize) -> String {
    drop(user);
    let _ = pair.1;
    key(guard)
}

struct User {
    id: u64,
    name: String,
}

#[lock(key = name, using = LOCKER, guard = guard)]
fn expression(name: String) -> String {
    assert_eq!(key(guard), name);
    name
}

#[lock(using = LOCKER, guard = guard)]
fn own_path() -> String {
    key(guard)
}

impl User {
    #[lock("{self.id}", using = LOCKER, guard = guard)]
    fn of_self(&self) -> String {
        key(guard)
    }

    #[lock(using = LOCKER, guard = guard)]
    fn own_path(&self) -> String {
        let _ = self;
        key(guard)
    }
}

struct Other<T>(T);

impl<T> Other<T> {
    #[lock(using = LOCKER, guard = guard)]
    fn own_path(&self) -> String {
        let _ = &self.0;
        key(guard)
    }
}

#[test]
fn the_key_comes_from_arguments() {
    assert_eq!(captured(7), "user:7");
    assert_eq!(User { id: 3, name: String::new() }.of_self(), "3");
}

#[test]
fn values_are_formatted_first_and_escaped_then() {
    assert_eq!(specs(10, "a:b"), "  10:000a:\"a%3Ab\":{}:11");
    let user = User { id: 1, name: "Zoë".to_owned() };
    assert_eq!(longer(user, (5, 6), 3), "1:4:Zoë:  5");
}

#[test]
fn different_values_never_meet_in_one_key() {
    assert_eq!(two("plain", "x y/z"), "plain:x y/z");
    assert_ne!(two("a:b", "c"), two("a", "b:c"));
    assert_ne!(two("a%3Ab", "c"), two("a:b", "c"));
    assert_ne!(two("", "c"), two("c", ""));
}

#[test]
fn a_key_expression_leaves_its_argument_to_the_body() {
    assert_eq!(expression("by name".to_owned()), "by name");
}

#[test]
fn without_a_key_it_is_the_own_path() {
    assert_eq!(own_path(), concat!(module_path!(), "::own_path"));
    assert_eq!(User { id: 1, name: String::new() }.own_path(), concat!(module_path!(), "::User::own_path"));
    assert_eq!(Other(1).own_path(), concat!(module_path!(), "::Other::own_path"));
}

mod nested {
    use super::*;

    pub(super) fn one() -> String {
        #[lock(using = LOCKER, guard = guard)]
        fn inner() -> String {
            key(guard)
        }
        inner()
    }

    pub(super) fn two() -> (String, String) {
        #[lock(using = LOCKER, guard = guard)]
        fn inner() -> String {
            #[lock(using = LOCKER, guard = guard)]
            fn inner() -> String {
                key(guard)
            }
            format!("{} {}", key(guard), inner())
        }
        struct User;
        impl User {
            #[lock(using = LOCKER, guard = guard)]
            fn own_path(&self) -> String {
                let _ = self;
                key(guard)
            }
        }
        (inner(), User.own_path())
    }

    pub(super) fn generic<T: Default>() -> String {
        let _ = T::default();
        let closure = || {
            #[lock(using = LOCKER, guard = guard)]
            fn inner<U: Default>() -> String {
                let _ = U::default();
                key(guard)
            }
            (inner::<u8>(), inner::<String>())
        };
        let (one, other) = closure();
        assert_eq!(one, other, "type parameters have no part in it");
        one
    }

    #[lock(using = LOCKER, guard = guard)]
    pub(super) fn of_any<T: Default>() -> String {
        let _ = T::default();
        key(guard)
    }

    #[lock(using = LOCKER, guard = guard)]
    pub(super) async fn later() -> String {
        key(guard)
    }

    #[lock(using = LOCKER, guard = guard)]
    pub(super) fn r#type() -> String {
        key(guard)
    }

    impl super::User {
        #[lock(using = LOCKER, guard = guard)]
        pub(super) fn elsewhere() -> String {
            key(guard)
        }
    }
}

struct First;
struct Second<T>(std::marker::PhantomData<T>);

trait Made {
    fn made() -> String;

    #[lock(using = LOCKER, guard = guard)]
    fn by_default() -> String {
        key(guard)
    }
}

impl First {
    #[lock(using = LOCKER, guard = guard)]
    fn make() -> String {
        key(guard)
    }
}

impl<T> Second<T> {
    #[lock(using = LOCKER, guard = guard)]
    fn make() -> String {
        key(guard)
    }
}

impl Made for First {
    #[lock(using = LOCKER, guard = guard)]
    fn made() -> String {
        key(guard)
    }
}

impl<T> Made for Second<T> {
    #[lock(using = LOCKER, guard = guard)]
    fn made() -> String {
        key(guard)
    }
}

#[test]
fn functions_of_one_name_in_different_functions_have_different_paths() {
    let path = |rest: &str| format!("{}::nested::{rest}", module_path!());
    assert_eq!(nested::one(), path("one::inner"));
    let (inner, method) = nested::two();
    assert_eq!(inner, format!("{} {}", path("two::inner"), path("two::inner::inner")));
    assert_eq!(method, path("two::User::own_path"));
    assert_eq!(nested::generic::<u8>(), path("generic::inner"));
}

#[test]
fn the_own_path_of_what_is_not_nested_is_module_and_name() {
    let path = |rest: &str| format!("{}::nested::{rest}", module_path!());
    assert_eq!((nested::of_any::<u8>(), nested::of_any::<String>()), (path("of_any"), path("of_any")));
    assert_eq!(nested::r#type(), path("type"));
    assert_eq!(smol::block_on(nested::later()), path("later"));
}

#[test]
fn associated_functions_without_self_have_their_type_in_their_paths() {
    let path = |rest: &str| format!("{}::{rest}", module_path!());
    assert_eq!((First::make(), First::made()), (path("First::make"), path("First::made")));
    let (one, other) = (Second::<u8>::make(), Second::<String>::make());
    assert_eq!((one, other), (path("Second::make"), path("Second::make")));
    assert_eq!(Second::<u8>::made(), path("Second::made"));
    assert_eq!(User::elsewhere(), path("nested::User::elsewhere"));
    assert_eq!(
        (First::by_default(), Second::<u8>::by_default()),
        (path("Made::by_default"), path("Made::by_default"))
    );
}

static EVALUATIONS: AtomicU32 = AtomicU32::new(0);

struct Counted(String);

impl Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        EVALUATIONS.fetch_add(1, Ordering::SeqCst);
        f.write_str(&self.0)
    }
}

#[lock("evaluated:{counted}:{number}", using = LOCKER)]
fn changes_its_arguments(counted: Counted, mut number: u8) {
    drop(counted);
    number += 1;
    assert!(is_locked("evaluated:counted:1"));
    assert!(!is_locked(&format!("evaluated:counted:{number}")));
}

#[test]
fn the_key_is_evaluated_once_and_that_one_is_released() {
    changes_its_arguments(Counted("counted".to_owned()), 1);
    assert_eq!(EVALUATIONS.load(Ordering::SeqCst), 1);
    assert!(!is_locked("evaluated:counted:1"));
}

#[test]
fn a_block_has_the_same_keys() {
    let user = User { id: 1, name: "a:b".to_owned() };
    let found = lock!("{user.id}:{}", user.name, using = LOCKER, |guard| key(guard)).unwrap();
    assert_eq!(found, "1:a%3Ab");
    assert_eq!(lock!(key = user.name, using = &*LOCKER, |guard| key(guard)).unwrap(), "a:b");
}
