//! Who has a lock, for people: a line of text beside it, `lock/1 owner pid host since`, with `since` in microseconds since
//! 1970. Nothing is decided by it, as it may be evicted, or be that of the last holder.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::{
    clock,
    key::Key,
    lease::{Holder, Owner},
};

const VERSION: &str = "lock/1";
/// Fields are separated by spaces.
const FIELD: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) owner: Owner,
    pid: u32,
    host: String,
    since: u64,
}

impl Record {
    /// Of this process, from now on.
    pub(super) fn new(owner: &Owner, host: &str) -> Self {
        Self {
            owner: owner.clone(),
            pid: std::process::id(),
            host: host.to_owned(),
            since: clock::unix_micros(),
        }
    }

    /// `None`: it is no such line.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = str::from_utf8(line).ok()?.split(' ');
        let mut next = || percent_decode_str(fields.next()?).decode_utf8().ok();
        if next()? != VERSION {
            return None;
        }
        Some(Self {
            owner: next()?.parse().ok()?,
            pid: next()?.parse().ok()?,
            host: next().map(Cow::into_owned)?,
            since: next()?.parse().ok()?,
        })
    }

    pub(super) fn into_holder(self, key: &Key) -> Holder {
        let mut holder = Holder::new(key.clone(), self.owner);
        holder.pid = Some(self.pid);
        holder.host = Some(self.host).filter(|host| !host.is_empty());
        holder.acquired_at = Some(UNIX_EPOCH + Duration::from_micros(self.since));
        holder
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.owner.to_string();
        let (owner, host) = (utf8_percent_encode(&owner, FIELD), utf8_percent_encode(&self.host, FIELD));
        write!(f, "{VERSION} {owner} {} {host} {}", self.pid, self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for (owner, host) in
            [("worker 7 %41 é", "web-1"), (&"a".repeat(255), ""), ("00000000000000000000000000000007", "a b")]
        {
            let record = Record::new(&owner.parse().unwrap(), host);
            assert_eq!(Record::parse(record.to_string().as_bytes()), Some(record));
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        let record = Record::new(&Owner::from_bits(7), "web-1").to_string();
        for line in ["", "lock/1", "lock/2 a 1 b 2", "1234", record.rsplit_once(' ').unwrap().0] {
            assert_eq!(Record::parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(Record::parse(b"\xff"), None);
    }
}
