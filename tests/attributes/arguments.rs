//! What arguments by value do when they are dropped, they do under the lock.

use std::sync::Mutex;

use lock::lock;

use crate::{LOCKER, is_locked};

static DROPPED: Mutex<Vec<(&str, bool)>> = Mutex::new(Vec::new());

struct Argument(&'static str);

impl Drop for Argument {
    fn drop(&mut self) {
        DROPPED.lock().unwrap().push((self.0, is_locked(self.0)));
    }
}

fn held_when_dropped(key: &str) -> Vec<bool> {
    let dropped = DROPPED.lock().unwrap();
    dropped.iter().filter(|(name, _)| *name == key).map(|(_, held)| *held).collect()
}

#[lock("arguments:sync", using = LOCKER)]
fn borrows(one: Argument, mut two: Argument) -> usize {
    two.0 = one.0;
    one.0.len()
}

#[lock("arguments:unused", using = LOCKER)]
fn unused(_argument: Argument) {}

#[lock("arguments:opaque", using = LOCKER)]
fn opaque<T>(argument: T, other: impl Send) -> Result<(), lock::Error> {
    let _ = (&argument, &other);
    Ok(())
}

#[lock("{}", argument.0, using = LOCKER)]
fn only_in_the_key(argument: Argument) {}

#[lock("arguments:async", using = LOCKER)]
async fn asynchronous(mut one: Argument, _two: Argument) {
    one.0 = "arguments:async";
    tokio::task::yield_now().await;
}

#[lock("arguments:moved", using = LOCKER)]
fn moves(argument: Argument) -> Argument {
    argument
}

#[tokio::test]
async fn an_argument_is_dropped_before_the_release() {
    borrows(Argument("arguments:sync"), Argument(""));
    assert_eq!(held_when_dropped("arguments:sync"), [true, true]);
    unused(Argument("arguments:unused"));
    assert_eq!(held_when_dropped("arguments:unused"), [true]);
    opaque(Argument("arguments:opaque"), Argument("arguments:opaque")).unwrap();
    assert_eq!(held_when_dropped("arguments:opaque"), [true, true]);
    only_in_the_key(Argument("arguments-key"));
    assert_eq!(held_when_dropped("arguments-key"), [true]);
    asynchronous(Argument(""), Argument("arguments:async")).await;
    assert_eq!(held_when_dropped("arguments:async"), [true, true]);
    drop(moves(Argument("arguments:moved")));
    assert_eq!(held_when_dropped("arguments:moved"), [false]);
}
