//! What a call returns when its body did not run.

use std::io;
use std::panic::{Location, catch_unwind};
use std::sync::Mutex;

use lock::lock;

use crate::LOCKER;

type Alias = Result<u8, lock::Error>;

#[lock("outcome:{key}", blocking = false, using = LOCKER)]
fn result(key: &str) -> Result<u8, lock::Error> {
    Ok(1)
}

#[lock("outcome:{key}", wait = "1ms", using = LOCKER)]
fn alias(key: &str) -> Alias {
    Ok(1)
}

#[lock("outcome:{key}", blocking = false, using = LOCKER)]
fn io(key: &str) -> io::Result<u8> {
    Ok(1)
}

#[lock("outcome:{key}", blocking = false, using = LOCKER)]
fn boxed(key: &str) -> Result<u8, Box<dyn std::error::Error>> {
    Ok(1)
}

#[lock("outcome:{key}", blocking = false, using = LOCKER)]
fn anyhow(key: &str) -> anyhow::Result<u8> {
    Ok(1)
}

#[lock("outcome:{key}", blocking = false, using = LOCKER, otherwise = |error| u8::from(error.is_locked()) + 10)]
fn otherwise(key: &str) -> u8 {
    1
}

#[lock("outcome:{key}", blocking = false, using = LOCKER, otherwise = |_| Ok(2))]
fn otherwise_of_a_result(key: &str) -> Result<u8, String> {
    Ok(1)
}

#[test]
fn a_held_lock_is_the_error_of_the_call() {
    let guard = LOCKER.lock("outcome:error").acquire().unwrap();
    assert!(matches!(result("error"), Err(lock::Error::Locked { .. })));
    assert!(matches!(alias("error"), Err(lock::Error::Timeout { .. })));
    assert!(io("error").unwrap_err().get_ref().unwrap().is::<lock::Error>());
    assert!(boxed("error").unwrap_err().is::<lock::Error>());
    assert!(anyhow("error").unwrap_err().is::<lock::Error>());
    guard.release().unwrap();
    assert_eq!(result("error").unwrap(), 1);
    assert_eq!(alias("error").unwrap(), 1);
    assert_eq!(anyhow("error").unwrap(), 1);
}

#[test]
fn otherwise_gives_the_value() {
    let guard = LOCKER.lock("outcome:otherwise").acquire().unwrap();
    assert_eq!(otherwise("otherwise"), 11);
    assert_eq!(otherwise_of_a_result("otherwise"), Ok(2));
    guard.release().unwrap();
    assert_eq!(otherwise("otherwise"), 1);
}

#[lock("outcome:plain", using = lock::Locker::open("nowhere://"))]
fn plain() -> u8 {
    panic!("the body ran without its lock");
}

/// An alias hides that the error can be returned, until the compiler looks.
#[lock("outcome:plain", using = lock::Locker::open("nowhere://"))]
fn plain_alias() -> Alias {
    panic!("the body ran without its lock");
}

#[lock("outcome:{number}", using = LOCKER)]
fn innocent(number: u8) -> u8 {
    number.checked_sub(1).unwrap() // reported at this line
}

fn line_of_the_unwrap() -> u32 {
    let line = include_str!("outcome.rs").lines().position(|line| line.ends_with("// reported at this line"));
    u32::try_from(line.unwrap()).unwrap() + 1
}

static HOOK: Mutex<()> = Mutex::new(());

fn panic_of(function: impl FnOnce() + std::panic::UnwindSafe) -> (String, u32) {
    static LINE: Mutex<(String, u32)> = Mutex::new((String::new(), 0));
    let _one = HOOK.lock();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let line = info.location().map_or(0, Location::line);
        *LINE.lock().unwrap() = (info.payload_as_str().unwrap_or_default().to_owned(), line);
    }));
    catch_unwind(function).unwrap_err();
    std::panic::set_hook(before);
    LINE.lock().unwrap().clone()
}

#[test]
fn a_plain_function_panics_at_its_callers_line() {
    let (message, line) = panic_of(|| {
        plain();
    });
    assert_eq!(line, line!() - 2);
    assert!(message.contains("was not acquired"), "{message}");
    plain_alias().unwrap_err();
}

#[test]
fn the_panic_of_a_body_stays_at_its_own_line() {
    let (_, line) = panic_of(|| {
        innocent(0);
    });
    assert_eq!(line, line_of_the_unwrap());
}
