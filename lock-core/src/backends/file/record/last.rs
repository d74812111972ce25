//! What an acquire needs of the record that it finds: less than all of it, and it is read each time.

use std::{io, time::Duration};

use super::{AWAITED, NOT_AWAITED, Parked, Record, VERSION};
use crate::lease::{FencingToken, Holder, Owner};

/// What the last holder left behind.
#[derive(Debug, Default)]
pub(crate) struct Last {
    pub(crate) token: FencingToken,
    /// Somebody waited for it when this was written.
    pub(crate) awaited: bool,
    /// All of the record, where it says that the lock is kept for its owner.
    parked: Option<Box<Record>>,
}

impl Last {
    /// `None`: all of the record has to be read, as it is parked, or not one of ours.
    pub(crate) fn glance(bytes: &[u8]) -> Option<Self> {
        let (&mark, rest) = bytes.split_first()?;
        let awaited = match mark {
            AWAITED => true,
            NOT_AWAITED => false,
            _ => return None,
        };
        let mut fields = rest.splitn(7, |byte| *byte == b' ');
        let mut next = || fields.next();
        if next()? != VERSION.as_bytes() {
            return None;
        }
        let token = number(next()?)?;
        let (_owner, _pid, _since, parked) = (next()?, next()?, next()?, next()?);
        // What follows is for people. A parked lock ends by the clock of a certain boot: that is read with care.
        (parked == b"0" && next().is_some()).then_some(Self { token, awaited, parked: None })
    }

    /// Higher than all before, also if the file was removed in between.
    ///
    /// Fails where it would not fit into a signed 64-bit column: nobody counts that far, so somebody has written it.
    pub(crate) fn next_token(&self, now: u64) -> io::Result<FencingToken> {
        let next = now.max(self.token.saturating_add(1));
        if i64::try_from(next).is_ok() {
            return Ok(next);
        }
        Err(io::Error::other(format!(
            "the fencing tokens of this key are used up: its file says {}",
            self.token
        )))
    }

    pub(crate) fn parked_by(&self, owner: &Owner) -> Parked {
        self.parked.as_ref().map_or(Parked::Not, |record| record.parked_by(owner))
    }

    /// For whom it is kept.
    pub(crate) fn holder(&self, expires_in: Duration) -> Option<Box<Holder>> {
        self.parked.as_ref().and_then(|record| record.holder(Some(expires_in))).map(Box::new)
    }
}

impl From<Record> for Last {
    fn from(record: Record) -> Self {
        let (token, awaited) = (record.token, record.awaited);
        let parked = record.parked_for().is_some().then(|| Box::new(record));
        Self { token, awaited, parked }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Holding, tests::record},
        *,
    };
    use crate::{
        clock::Moment,
        key::Key,
        lease::{Lease, Ttl},
    };

    #[test]
    fn a_glance_sees_what_is_in_the_record() {
        for awaited in [false, true] {
            let lease = Lease::new(Key::from("a key"), "worker 7 - %41".parse().unwrap(), 42, Ttl::DEFAULT);
            let line = Holding::of(7).line(&lease, 1, awaited);
            let (glance, whole) =
                (Last::glance(&line).unwrap(), Last::from(Record::from_bytes(&line).unwrap()));
            assert_eq!((glance.token, glance.awaited), (whole.token, whole.awaited));
            assert_eq!((glance.token, glance.awaited), (42, awaited));
        }
    }

    #[test]
    fn what_is_parked_or_no_record_is_not_for_a_glance() {
        let mut parked = record();
        parked.park(Moment::now().after(Duration::from_secs(5)));
        assert!(Last::glance(parked.to_line().as_bytes()).is_none());
        let line = record().to_line();
        for wrong in [
            "",
            "!",
            "#",
            "#lock/1",
            "#lock/1 42",
            "#lock/2 42 - 1 1 0 -",
            "#lock/1 -1 - 1 1 0 -",
            "#lock/1 4x - 1 1 0 -",
        ] {
            assert!(Last::glance(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
        // Cut off at any point, it says nothing or the truth.
        for end in 0..line.len() {
            assert!(Last::glance(&line.as_bytes()[..end]).is_none_or(|last| last.token == 42), "{end}");
        }
    }

    #[test]
    fn tokens_that_are_used_up_are_an_error() {
        assert!(Last { token: u64::MAX, ..Last::default() }.next_token(7).is_err());
    }
}
