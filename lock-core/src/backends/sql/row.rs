//! A row of the table, as the statements return it.

use std::time::{Duration, SystemTime};

use sqlx::{ColumnIndex, Decode, Type};

use super::Taken;
use crate::{
    backend::{Attempt, Fault, Request},
    key::Key,
    lease::{Holder, Lease},
};

/// What is between and around those who stand in line. No key and no owner has it.
pub(in crate::backends) const BETWEEN: char = '\u{1f}';

/// What is known of a key, in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub(in crate::backends) key: String,
    pub(in crate::backends) owner: String,
    pub(in crate::backends) token: i64,
    pub(in crate::backends) last_token: i64,
    /// For how long it is held yet, in microseconds; not positive if it is free.
    pub(in crate::backends) left: i64,
    /// Since when, in microseconds since 1970.
    pub(in crate::backends) acquired_at: i64,
    pub(in crate::backends) host: String,
    pub(in crate::backends) pid: i64,
    /// Where the asking owner stands in line: 1 is first, 0 is not at all.
    pub(in crate::backends) place: i64,
    /// How long the line is; 0 if nobody waits.
    pub(in crate::backends) line: i64,
}

/// An owner as it stands in line.
pub(super) fn entry(owner: &str) -> String {
    let mut entry = String::with_capacity(owner.len() + 2);
    entry.push(BETWEEN);
    entry.push_str(owner);
    entry.push(BETWEEN);
    entry
}

impl Row {
    /// A row as a database returned it.
    ///
    /// # Errors
    /// If its columns are others.
    pub(in crate::backends) fn read<'r, R>(row: &'r R) -> Result<Self, sqlx::Error>
    where
        R: sqlx::Row,
        usize: ColumnIndex<R>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok(Self {
            key: row.try_get(0)?,
            owner: row.try_get(1)?,
            token: row.try_get(2)?,
            last_token: row.try_get(3)?,
            left: row.try_get(4)?,
            acquired_at: row.try_get(5)?,
            host: row.try_get(6)?,
            pid: row.try_get(7)?,
            place: row.try_get(8)?,
            line: row.try_get(9)?,
        })
    }

    /// A row that somebody's transaction keeps from being read; it is worth looking again after that time.
    pub(in crate::backends) fn kept_for(time: Duration) -> Self {
        let nothing = String::new;
        Self {
            key: nothing(),
            owner: nothing(),
            token: 0,
            last_token: 0,
            left: as_micros(time),
            acquired_at: 0,
            host: nothing(),
            pid: 0,
            place: 0,
            line: 0,
        }
    }

    /// Who holds the key, if somebody does and it is known who.
    pub(in crate::backends) fn holder(&self) -> Result<Option<Holder>, Fault> {
        if self.left <= 0 || self.owner.is_empty() {
            return Ok(None);
        }
        let unexpected = |what| Fault::failed(format!("the table holds {what} that is none")).permanent();
        let owner = self.owner.parse().map_err(|_| unexpected("an owner"))?;
        let mut holder = Holder::new(Key::from(self.key.clone()), owner);
        holder.fencing_token = Some(u64::try_from(self.token).map_err(|_| unexpected("a fencing token"))?);
        holder.host = Some(self.host.clone()).filter(|host| !host.is_empty());
        holder.pid = u32::try_from(self.pid).ok().filter(|pid| *pid > 0);
        let since = u64::try_from(self.acquired_at).ok().map(Duration::from_micros);
        holder.acquired_at = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        holder.expires_in = Some(micros(self.left));
        Ok(Some(holder))
    }

    /// A refusal: whose it is, and when it will be the asking owner's turn.
    pub(super) fn refusal(&self, window: Duration) -> Result<Attempt, Fault> {
        let holder = self.holder()?.map(Box::new);
        // Who is first in line may have it at once when it is free, everybody else when the first has not taken it.
        let first = self.place == 1 || self.line == 0;
        let free = if first { self.left } else { self.left.saturating_add(as_micros(window)) };
        Ok(Attempt::Held { holder, free_in: Some(micros(free)) })
    }

    /// The lease that the row is about.
    pub(super) fn lease(&self, request: &Request) -> Result<Lease, Fault> {
        lease(request, self.token, self.last_token)
    }
}

impl Taken {
    /// What a statement returned that takes a key: the first and the last token, or nothing.
    ///
    /// # Errors
    /// If its columns are others.
    pub(in crate::backends) fn read<'r, R>(rows: &'r [R]) -> Result<Self, sqlx::Error>
    where
        R: sqlx::Row,
        usize: ColumnIndex<R>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
    {
        let Some(row) = rows.first() else { return Ok(Self::Refused) };
        Ok(Self::Granted { first: row.try_get(0)?, last: row.try_get(1)? })
    }
}

/// A lease with all the tokens from `first` to `last`.
pub(in crate::backends) fn lease(request: &Request, first: i64, last: i64) -> Result<Lease, Fault> {
    let wrong = || Fault::failed("the table holds a fencing token that is none").permanent().maybe_executed();
    let token = u64::try_from(first).map_err(|_| wrong())?;
    let mut lease = Lease::new(request.key.clone(), request.owner.clone(), token, request.ttl);
    lease.reserved = u32::try_from(last - first + 1).map_err(|_| wrong())?.max(1);
    Ok(lease)
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

pub(super) fn as_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(left: i64, place: i64, line: i64) -> Row {
        Row {
            key: "k".into(),
            owner: "o".into(),
            token: 7,
            last_token: 9,
            left,
            acquired_at: 1,
            host: "h".into(),
            pid: 4,
            place,
            line,
        }
    }

    #[test]
    fn only_the_first_in_line_may_come_when_it_is_free() {
        let window = Duration::from_millis(150);
        let free_in = |row: Row| match row.refusal(window) {
            Ok(Attempt::Held { free_in, .. }) => free_in.map(|free| free.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!(free_in(row(1_000_000, 0, 0)), Some(1000));
        assert_eq!(free_in(row(1_000_000, 1, 40)), Some(1000));
        assert_eq!(free_in(row(1_000_000, 35, 80)), Some(1150));
        assert_eq!(free_in(row(-50_000, 0, 40)), Some(100));
        assert_eq!(free_in(row(-500_000, 0, 40)), Some(0));
    }

    #[test]
    fn a_row_that_a_transaction_keeps_is_held_by_nobody_known() {
        let kept = Row::kept_for(Duration::from_millis(100));
        assert_eq!(kept.holder().unwrap(), None);
        let free_in = Some(Duration::from_millis(100));
        assert_eq!(kept.refusal(Duration::ZERO).unwrap(), Attempt::Held { holder: None, free_in });
    }

    #[test]
    fn a_row_that_has_expired_is_nobodys() {
        assert_eq!(row(0, 0, 0).holder().unwrap(), None);
        let holder = row(2_000_000, 0, 0).holder().unwrap().unwrap();
        assert_eq!((holder.pid, holder.fencing_token), (Some(4), Some(7)));
        assert_eq!(holder.expires_in, Some(Duration::from_secs(2)));
    }
}
