//! What each database does in its own way.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use super::{Row, Statement, Values};
use crate::{
    backend::{Capabilities, Fault, Request, Watch},
    backends::in_thread::Driver,
};

/// A database that can keep the table.
pub trait Database: fmt::Debug + Send + Sync + 'static {
    /// What locks of it can do.
    #[doc(hidden)]
    fn capabilities(&self) -> Capabilities;

    /// The statements, in its own words.
    #[doc(hidden)]
    fn statements(&self) -> &Statements;

    /// A connection on which statements are run outside of the background thread, by whoever polls them.
    #[doc(hidden)]
    type Here: Send + 'static;

    /// One that is idle, and that the others can do without. Nothing that is done on it may need a runtime.
    #[doc(hidden)]
    fn here(&self) -> Option<Self::Here>;

    /// The same for a caller who blocks, for so long at most, and what it is to be driven by, if anything.
    #[doc(hidden)]
    fn here_blocking(&self, limit: Duration) -> Option<(Self::Here, Option<Arc<Driver>>)> {
        let _ = limit;
        self.here().map(|here| (here, None))
    }

    /// The same for an async caller who polls, and whether it is one of his runtime, and ends with that.
    #[doc(hidden)]
    fn here_async(&self) -> Option<(Self::Here, bool)> {
        self.here().map(|here| (here, false))
    }

    /// [`take`](Self::take) on it.
    #[doc(hidden)]
    fn take_on(
        &self,
        here: Self::Here,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Taken, Fault>> + Send;

    /// The release, on it.
    #[doc(hidden)]
    fn release_on(
        &self,
        here: Self::Here,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// Takes the key if it is free.
    #[doc(hidden)]
    fn take(&self, values: &Values<'_>) -> impl Future<Output = Result<Taken, Fault>> + Send;

    /// Runs a statement that returns rows.
    #[doc(hidden)]
    fn rows(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send;

    /// Gets in line while the key is not to be had, and says what stands in the way then.
    #[doc(hidden)]
    fn stand_in_line(&self, values: &Values<'_>) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send {
        self.rows(&self.statements().stand_in_line, values)
    }

    /// Runs a statement that changes rows. Returns whether there was one to change.
    #[doc(hidden)]
    fn change(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<bool, Fault>> + Send;

    /// Removes some of the rows that nobody uses. Returns whether there may be more.
    #[doc(hidden)]
    fn prune(&self, values: &Values<'_>) -> impl Future<Output = Result<bool, Fault>> + Send {
        async { self.change(&self.statements().prune, values).await }
    }

    /// Sees to it that the announcements for a request are kept, if there are any to be had.
    #[doc(hidden)]
    fn expect(&self, id: &str, request: &Request) {
        let _ = (id, request);
    }

    /// The announcements for a request.
    #[doc(hidden)]
    fn listen(
        &self,
        id: &str,
        request: &Request,
    ) -> impl Future<Output = Result<Option<Box<dyn Watch>>, Fault>> + Send {
        let _ = (id, request);
        async { Ok(None) }
    }

    /// Announcements are not kept any more.
    #[doc(hidden)]
    fn forget(&self, id: &str, request: &Request) {
        let _ = (id, request);
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// With all tokens from the first to the last.
    Granted {
        #[doc(hidden)]
        first: i64,
        #[doc(hidden)]
        last: i64,
    },
    /// It is held, or kept for somebody.
    Refused,
    /// Somebody's transaction keeps the row.
    Locked,
}

/// What a database is asked.
#[derive(Debug)]
pub struct Statements {
    pub(in crate::backends) acquire: Statement,
    /// Gets in line while the key is not to be had.
    pub(in crate::backends) stand_in_line: Statement,
    /// What is known of a key.
    pub(in crate::backends) look: Statement,
    pub(in crate::backends) renew: Statement,
    pub(in crate::backends) release: Statement,
    pub(in crate::backends) adopt: Statement,
    pub(in crate::backends) held: Statement,
    pub(in crate::backends) force_release: Statement,
    pub(in crate::backends) leave_line: Statement,
    /// Removes some of the rows that nobody uses. It returns a row if there may be more of them.
    pub(in crate::backends) prune: Statement,
}

/// Why a statement has no answer.
#[derive(Debug)]
pub(in crate::backends) enum Failed {
    /// No connection could be made: nothing was asked.
    Connecting(sqlx::Error),
    /// It was sent.
    Asking(sqlx::Error),
}

/// What a server says by the code of its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backends) enum Said {
    /// The session or the statement was ended, when it was done or before.
    Interrupted,
    /// It would be refused again.
    Permanent,
    /// It is refused, and what it has done undone.
    Refused,
}

impl Failed {
    pub(in crate::backends) const fn error(&self) -> &sqlx::Error {
        let (Self::Connecting(error) | Self::Asking(error)) = self;
        error
    }

    /// What it means; `said` is `None` where the error is not the server's.
    pub(in crate::backends) fn means(&self, said: Option<Said>, text: String) -> Fault {
        let fault = Fault::failed(text);
        match (self, said) {
            (_, Some(Said::Permanent))
            | (Self::Connecting(sqlx::Error::Configuration(_) | sqlx::Error::Tls(_)), _) => fault.permanent(),
            (Self::Asking(_), None | Some(Said::Interrupted)) => fault.maybe_executed(),
            _ => fault,
        }
    }
}

/// The statements of a database, which stand in files of the same names beside it; `$statement` reads one.
macro_rules! statements {
    ($statement:ident) => {
        $crate::backends::sql::Statements {
            acquire: $statement(include_str!("statements/acquire.sql")),
            stand_in_line: $statement(include_str!("statements/stand_in_line.sql")),
            look: $statement(include_str!("statements/look.sql")),
            renew: $statement(include_str!("statements/renew.sql")),
            release: $statement(include_str!("statements/release.sql")),
            adopt: $statement(include_str!("statements/adopt.sql")),
            held: $statement(include_str!("statements/held.sql")),
            force_release: $statement(include_str!("statements/force_release.sql")),
            leave_line: $statement(include_str!("statements/leave_line.sql")),
            prune: $statement(include_str!("statements/prune.sql")),
        }
    };
}
pub(in crate::backends) use statements;
