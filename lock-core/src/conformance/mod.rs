//! What every backend has to keep, as functions over a backend.
//!
//! The author of a backend describes it as a [`Subject`] and runs every [`Case`] on it:
//!
//! ```
//! use std::sync::Arc;
//! use lock_core::conformance::{Leases, Outcome, Subject, Threads, cases};
//!
//! let store = Leases::new();
//! let subject = Subject::new("leases", store.capabilities(), move |settings| {
//!     lock_core::Locker::with_backend_and(store.client(), settings)
//! });
//! let case = cases().into_iter().find(|case| case.name == "prefix and name make the key").unwrap();
//! let executor: Arc<dyn lock_core::conformance::Executor> = Arc::new(Threads::blocking());
//! assert!(matches!(case.run(&subject, &executor), Outcome::Passed));
//! ```
//!
//! A case that a backend cannot pass for want of a capability is not run and says which one it is; nothing is chosen by
//! a backend's name. Every case has a prefix of its own, so that all of them can run at once. Times are compared with
//! the ttl, the retry interval or a measured event, and what the machine kept this process from running is [taken
//! off](pulse).
//!
//! Cases over several processes need a program that calls [`serve`]; see [`Subject::helper`].

// A case that fails panics; that is what these functions are for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod cancellation;
mod executor;
mod fencing;
mod helper;
mod lease;
mod leases;
mod mutex;
mod needs;
mod original;
mod peer;
mod processes;
pub mod pulse;
mod test;
mod waiting;

use std::{fmt, process::Command, sync::Arc};

pub use self::{
    executor::{Executor, Side, Threads},
    helper::serve,
    leases::{Effect, Leases, Operation},
    peer::Peer,
    test::{Joined, Test},
};
use crate::{
    backend::{BoxFuture, Capabilities},
    config::Settings,
    error::Result,
    locker::Locker,
};

/// Every case, group by group.
pub fn cases() -> Vec<Case> {
    let groups = [
        original::CASES,
        mutex::CASES,
        lease::CASES,
        fencing::CASES,
        waiting::CASES,
        cancellation::CASES,
        processes::CASES,
    ];
    groups.concat()
}

type Open = dyn Fn(&Settings) -> Result<Locker> + Send + Sync;

/// A backend under test: how to open it, and what it says that it can do.
#[derive(Clone)]
pub struct Subject {
    /// For people.
    pub name: String,
    /// What the cases are chosen by.
    pub capabilities: Capabilities,
    open: Arc<Open>,
    helper: Option<Arc<dyn Fn() -> Command + Send + Sync>>,
}

impl Subject {
    /// A backend. `open` gives a new client of one and the same store each time that it is called.
    pub fn new(
        name: impl Into<String>,
        capabilities: Capabilities,
        open: impl Fn(&Settings) -> Result<Locker> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), capabilities, open: Arc::new(open), helper: None }
    }

    /// How to run a program that calls [`serve`] with a locker of the same store.
    #[must_use]
    pub fn helper(mut self, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        self.helper = Some(Arc::new(command));
        self
    }

    /// Another client of the store.
    ///
    /// # Errors
    /// What opening it says.
    pub fn open(&self, settings: &Settings) -> Result<Locker> {
        (self.open)(settings)
    }

    /// The command of [`helper`](Self::helper), where there is one.
    pub fn command(&self) -> Option<Command> {
        self.helper.as_ref().map(|command| command())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A sentence that has to be true of a backend.
#[derive(Clone, Copy)]
pub struct Case {
    /// The sentence.
    pub name: &'static str,
    /// The capability that a backend lacks for it; `None` if it can be run.
    pub needs: fn(&Capabilities) -> Option<&'static str>,
    asynchronous: bool,
    processes: bool,
    body: fn(Test) -> BoxFuture<'static, ()>,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sentence is true.
    Passed,
    /// It was not run: the backend cannot do this.
    Missing(&'static str),
}

impl Case {
    const fn new(
        name: &'static str,
        needs: fn(&Capabilities) -> Option<&'static str>,
        body: fn(Test) -> BoxFuture<'static, ()>,
    ) -> Self {
        Self { name, needs, asynchronous: false, processes: false, body }
    }

    /// It is about futures.
    const fn only_async(mut self) -> Self {
        self.asynchronous = true;
        self
    }

    /// It runs the helper.
    const fn processes(mut self) -> Self {
        self.processes = true;
        self
    }

    /// Whether it is about callers of this kind at all.
    pub const fn concerns(&self, side: Side) -> bool {
        !self.asynchronous || matches!(side, Side::Async)
    }

    /// What the subject lacks for it; `None` if it can be run.
    pub fn missing(&self, subject: &Subject) -> Option<&'static str> {
        let lacking = (self.needs)(&subject.capabilities);
        lacking.or_else(|| (self.processes && subject.helper.is_none()).then_some("a helper program"))
    }

    /// Runs it.
    ///
    /// # Panics
    /// If the sentence is not true of the subject.
    pub fn run(&self, subject: &Subject, executor: &Arc<dyn Executor>) -> Outcome {
        if let Some(missing) = self.missing(subject) {
            return Outcome::Missing(missing);
        }
        let test = Test::new(subject, Arc::clone(executor));
        executor.block_on((self.body)(test));
        Outcome::Passed
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A line of a group's table: the sentence, what it needs, the function.
///
/// A function that stands in no table is dead code, which the compiler tells.
macro_rules! case {
    ($name:literal, $needs:ident, $body:ident $(, $only:ident)?) => {
        $crate::conformance::Case::new($name, $crate::conformance::needs::$needs, |test| Box::pin($body(test)))
            $(.$only())?
    };
}
use case;
