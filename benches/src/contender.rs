//! Who takes part: every lock behind one small trait, used as its documentation says.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::Result;

/// What we are called among the others.
pub const OURS: &str = "lock";

/// What we are called where async callers have connections on their own runtime.
pub const ON_RUNTIME: &str = "lock, on_runtime";

/// How long a lock outlives a holder that died, where one can say so.
pub const TTL: Duration = Duration::from_secs(30);

/// What is done under the lock.
pub type Section = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a contender's call comes to.
pub type Answer<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A lock for asynchronous callers, connected.
pub trait Contender: Send + Sync {
    /// Waits for the lock of a key, lets the section run under it, and returns when the lock is given back.
    fn locked<'a>(&'a self, key: &'a str, section: Section) -> Answer<'a>;

    /// Waits for the lock of a key and drops its guard, where that releases it behind the caller's back.
    fn dropped<'a>(&'a self, _key: &'a str) -> Option<Answer<'a>> {
        None
    }
}

/// A lock for callers that block their thread, connected.
pub trait Blocking: Send + Sync {
    /// Waits for the lock of a key, runs the section under it, and returns when the lock is given back.
    ///
    /// # Errors
    /// If it cannot be had, or given back.
    fn locked(&self, key: &str, section: &mut dyn FnMut()) -> Result;
}

/// How a contender comes by a lock that another holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It is woken.
    Woken,
    /// It looks again every now and then.
    Polls,
    /// It does not wait: a held lock is an error.
    Never,
}

/// A contender that is yet to be connected.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What it is called in the figures.
    pub name: &'static str,
    /// How it comes by a lock that another holds.
    pub waiting: Waiting,
    /// Connects to the server behind a URL.
    pub connect: fn(String) -> Answer<'static, Arc<dyn Contender>>,
}

impl Entry {
    /// Connects within the runtime that will use it.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn connect(&self, url: &str) -> Result<Arc<dyn Contender>> {
        (self.connect)(url.to_owned()).await
    }

    /// A key that no other contender uses.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.name.replace([' ', ','], "-"))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The place of one in a field of contenders.
///
/// # Errors
/// If it is not there.
pub fn place(field: &[Entry], who: Entry) -> Result<usize> {
    Ok(field
        .iter()
        .position(|entry| entry.name == who.name)
        .ok_or_else(|| format!("{} is missing", who.name))?)
}
