//! Nothing of ours depends on the names in scope.
#![allow(dead_code, non_camel_case_types)]

mod core {}
mod std {}
struct Result;
struct Option;
struct Ok;
struct Err;
struct Some;
struct None;
struct String;
struct Box;
macro_rules! format {
    ($($t:tt)*) => {
        compile_error!("ours")
    };
}
macro_rules! concat {
    ($($t:tt)*) => {
        compile_error!("ours")
    };
}

trait Text {
    fn acquire(&self) {}
    fn refused(&self) {}
    fn on_lost(&self) {}
    fn new() {}
}
impl<T> Text for T {}

#[lock::lock("{guard}:{}", error, using = lock)]
fn sync(guard: u8, error: u8, lock: &::lock::Locker) -> u8 {
    let scope = guard;
    scope + error
}

#[lock::lock("{guard}:{}", error, using = lock)]
async fn asynchronous(guard: u8, error: u8, lock: &::lock::Locker) -> u8 {
    let body = guard;
    body + error
}

#[lock::lock]
fn own() {}

#[derive(lock::Model)]
struct Order {
    id: u64,
    name: u8,
}

impl Order {
    #[lock::lock_model(field = "name", name = "a")]
    fn work(&self) {}
}

fn main() {
    let locker = ::lock::Locker::open("memory://").ok();
    locker.iter().for_each(|locker| {
        assert_eq!(sync(1, 2, locker), 3);
        drop(asynchronous(1, 2, locker));
        let value = lock::prelude::lock!("key", using = locker, |guard| guard.is_held());
        assert!(value.is_ok());
    });
}
