//! Another process: obeys the conformance cases, and shows what the facade makes of the environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program of the tests")]

use lock_core::{Locker, conformance::serve};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", url] => serve(|settings| Locker::open_with(url, settings)),
        _ => panic!("not a command: {arguments:?}"),
    }
}
