//! Beside attributes that rewrite functions themselves.
#![deny(warnings)]

use lock::lock;

#[test]
#[lock("one", using = lock::Locker::open("memory://"))]
fn before() {}

#[lock("two", using = lock::Locker::open("memory://"))]
#[test]
fn after() {}

#[lock("three")]
#[inline]
#[must_use]
#[track_caller]
pub fn annotated() -> u8 {
    1
}

fn main() {}
