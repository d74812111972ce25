//! `#[lock]` on the kinds of functions people have, with each option.

use std::time::Duration;

use lock::{Locker, lock};

use crate::{AppError, block_on};

#[lock]
fn under_its_own_path() {}

#[lock("user:{user_id}")]
fn captured(user_id: u64) -> u64 {
    user_id
}

struct Person {
    id: u64,
    region: String,
}

#[lock("{}:{}", user.id, user.region)]
fn with_arguments(user: &Person) -> usize {
    user.region.len()
}

#[lock(key = format!("day:{day}"))]
fn by_expression(day: u8) -> u8 {
    day
}

#[lock("outside:once", blocking = false)]
fn one_attempt() -> Result<(), lock::Error> {
    Ok(())
}

#[lock("outside:bounded", wait = "5s", ttl = "30s", renew = false, retry = "50ms")]
fn set_up() -> Result<u8, std::io::Error> {
    Ok(1)
}

#[lock("outside:seconds", wait = 2, ttl = Duration::from_secs(10))]
fn durations() -> Result<u8, Box<dyn std::error::Error>> {
    Ok(2)
}

#[lock("outside:guard", guard = held)]
fn uses_the_guard() -> u64 {
    held.fencing_token()
}

#[lock("outside:otherwise", blocking = false, otherwise = |_error| 0)]
fn or_else() -> u8 {
    3
}

#[lock("outside:using", using = locker)]
fn on_another_locker(locker: &Locker) -> bool {
    locker.lock("outside:using").is_locked().unwrap_or(false)
}

#[lock("outside:generic:{0}", value)]
fn generic<T: std::fmt::Display + Clone>(value: &T) -> T {
    value.clone()
}

#[lock("outside:iterator")]
fn iterator(n: u32) -> impl Iterator<Item = u32> {
    0..n
}

#[lock("outside:pause:{milliseconds}", on_lost = "continue")]
async fn runs_on(milliseconds: u64) -> u64 {
    milliseconds
}

trait Work {
    fn work(&mut self) -> Result<usize, AppError>;
}

impl Work for Vec<u8> {
    #[lock("outside:work", wait = "5s")]
    fn work(&mut self) -> Result<usize, AppError> {
        if self.is_empty() {
            return Err("nothing to do".into());
        }
        self.push(1);
        Ok(self.len())
    }
}

impl Person {
    #[lock("person:{self.id}", wait = "5s")]
    async fn greet(&self) -> Result<String, AppError> {
        Ok(format!("hello {}", self.region))
    }
}

pub fn run() -> Result<(), AppError> {
    let person = Person { id: 7, region: "north".to_owned() };
    under_its_own_path();
    assert_eq!(captured(7), 7);
    assert_eq!(with_arguments(&person), 5);
    assert_eq!(by_expression(3), 3);
    one_attempt()?;
    assert_eq!(set_up()?, 1);
    durations().map_err(|error| error.to_string())?;
    assert!(uses_the_guard() < uses_the_guard(), "fencing tokens increase");
    assert_eq!(or_else(), 3);
    assert!(on_another_locker(&Locker::open("memory://")?));
    assert_eq!(generic(&"a".to_owned()), "a");
    assert_eq!(iterator(3).count(), 3);
    assert_eq!(block_on(runs_on(5)), 5);
    assert_eq!(vec![0].work()?, 2);
    assert!(Vec::new().work().is_err());
    assert_eq!(block_on(person.greet())?, "hello north");
    Ok(())
}
