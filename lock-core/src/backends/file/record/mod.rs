//! What stands in the file of a key: the last fencing token, and who took it.
//!
//! One line of text, `#lock/1 token owner pid since parked-until boot host space key`, written by whoever has the lock,
//! in one call. What a longer line left behind it is ignored. A line that cannot be read counts as none, and the
//! fencing token goes on from the clock.
//!
//! A grant is written by [`Holding`], and what an acquire finds is read by [`Last`]: both touch only what they need.
//!
//! Two bytes of it are written by others. The first is made a `!` by a waiter, so that one who releases the lock, or
//! takes it again and again, knows of him. The second never changes: writing it once more is the bell.

mod grant;
mod last;

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

pub(super) use self::{grant::Holding, last::Last};
use crate::{
    clock::Moment,
    key::Key,
    lease::{FencingToken, Holder, Lease, Owner},
};

const VERSION: &str = "lock/1";
const NOT_AWAITED: u8 = b'#';
const AWAITED: u8 = b'!';
/// Where a waiter leaves its mark, and what it is.
pub(super) const MARK: (&[u8; 1], u64) = (&[AWAITED], 0);
/// What is written where to wake those who wait.
pub(super) const BELL: (&[u8], u64) = (b"l", 1);
/// What an empty field is written as.
const NOTHING: &str = "-";
/// Fields are separated by spaces; the key stands last, and is free of line breaks by nature.
const FIELD: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'-');

/// The content of a lock's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) token: FencingToken,
    /// Somebody waited for it when this was written.
    pub(super) awaited: bool,
    owner: Option<Owner>,
    pid: u32,
    since: u64,
    /// Until when it is kept for its owner though nobody has the file locked; zero if it is not.
    parked_until: u64,
    boot: Cow<'static, str>,
    host: Cow<'static, str>,
    /// The process namespace in which `pid` is one: a container has its own.
    space: Cow<'static, str>,
    key: Option<Key>,
}

/// Whether a lock that nobody has in hands is kept for somebody.
pub(super) enum Parked {
    Not,
    Mine,
    Others(Duration),
}

impl Record {
    /// Keeps the lock for its owner without a process to hold it.
    pub(super) fn park(&mut self, until: Moment) {
        self.parked_until = until.as_nanos();
        self.boot = Cow::Borrowed(&machine().boot);
    }

    /// Forgets the holder, not the token.
    pub(super) fn clear(&mut self) {
        self.owner = None;
        self.parked_until = 0;
    }

    /// For how long it is still kept; a reboot ends it, as the clock begins anew.
    pub(super) fn parked_for(&self) -> Option<Duration> {
        let left = Moment::from_nanos(self.parked_until).until();
        (!left.is_zero() && self.boot == machine().boot).then_some(left)
    }

    pub(super) fn parked_by(&self, owner: &Owner) -> Parked {
        match self.parked_for() {
            None => Parked::Not,
            Some(_) if self.owner.as_ref() == Some(owner) => Parked::Mine,
            Some(left) => Parked::Others(left),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its process is one that this process can see.
    pub(super) fn is_within_sight(&self) -> bool {
        self.host == machine().host && self.space == machine().space && !self.space.is_empty()
    }

    pub(super) fn holder(&self, expires_in: Option<Duration>) -> Option<Holder> {
        let mut holder = Holder::new(self.key.clone()?, self.owner.clone()?);
        holder.fencing_token = Some(self.token);
        holder.host = Some(self.host.clone().into_owned());
        holder.pid = Some(self.pid);
        holder.acquired_at = Some(UNIX_EPOCH + Duration::from_micros(self.since));
        holder.expires_in = expires_in;
        Some(holder)
    }

    pub(super) fn to_line(&self) -> String {
        let awaited = char::from(if self.awaited { AWAITED } else { NOT_AWAITED });
        let mut line = String::with_capacity(256);
        // Writing to a string does not fail.
        let _ = write!(line, "{awaited}{VERSION} {} ", self.token);
        push_field(&mut line, self.owner.as_ref());
        let _ = write!(line, "{} {} {} ", self.pid, self.since, self.parked_until);
        push_field(&mut line, Some(&self.boot).filter(|boot| !boot.is_empty()));
        push_field(&mut line, Some(&self.host).filter(|host| !host.is_empty()));
        push_field(&mut line, Some(&self.space).filter(|space| !space.is_empty()));
        line.push_str(self.key.as_ref().map_or(NOTHING, Key::as_str));
        line.push('\n');
        line
    }

    /// `None`: it is no record, or not a whole one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut fields = line.splitn(10, ' ');
        let mut next = || fields.next();
        let begin = next()?;
        let awaited = match begin.strip_suffix(VERSION)?.as_bytes() {
            [AWAITED] => true,
            [NOT_AWAITED] => false,
            _ => return None,
        };
        Some(Self {
            awaited,
            token: next()?.parse().ok()?,
            owner: match &*text(next()?)? {
                "" => None,
                owner => Some(owner.parse().ok()?),
            },
            pid: next()?.parse().ok()?,
            since: next()?.parse().ok()?,
            parked_until: next()?.parse().ok()?,
            boot: text(next()?)?.into_owned().into(),
            host: text(next()?)?.into_owned().into(),
            space: text(next()?)?.into_owned().into(),
            key: Some(Key::from(next()?)),
        })
    }
}

/// The text of a field.
fn text(field: &str) -> Option<Cow<'_, str>> {
    match field {
        NOTHING => Some(Cow::Borrowed("")),
        field => percent_decode_str(field).decode_utf8().ok(),
    }
}

/// Adds a field and a space.
fn push_field(line: &mut String, field: Option<&impl fmt::Display>) {
    // Writing to a string does not fail.
    let _ = match field {
        Some(field) => write!(Encoding(line), "{field}"),
        None => line.write_str(NOTHING),
    };
    line.push(' ');
}

/// Encodes what is written through it.
struct Encoding<'a>(&'a mut String);

impl fmt::Write for Encoding<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(utf8_percent_encode(text, FIELD));
        Ok(())
    }
}

/// The holder of a lease that this process has since `since`, in microseconds since 1970.
pub(super) fn holder_here(lease: &Lease, since: u64) -> Holder {
    let mut holder = Holder::new(lease.key.clone(), lease.owner.clone());
    holder.fencing_token = Some(lease.fencing_token);
    holder.host = Some(machine().host.clone());
    holder.pid = Some(std::process::id());
    holder.acquired_at = Some(UNIX_EPOCH + Duration::from_micros(since));
    holder
}

struct Machine {
    host: String,
    space: String,
    boot: String,
}

/// What never changes while this process runs.
fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine {
        space: std::fs::read_link("/proc/self/ns/pid")
            .map_or_else(|_| String::new(), |space| space.to_string_lossy().into_owned()),
        host: crate::host::name(),
        boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |boot| boot.trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, lease::Ttl};

    pub(super) fn record() -> Record {
        let owner = "worker 7 - %41".parse().unwrap();
        let lease = Lease::new(Key::from("a key: with spaces"), owner, 42, Ttl::DEFAULT);
        Record::from_bytes(&Holding::of(7).line(&lease, clock::unix_micros(), false)).unwrap()
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let record = record();
        assert_eq!(Record::from_bytes(record.to_line().as_bytes()), Some(record));
    }

    #[test]
    fn what_a_longer_line_left_behind_is_ignored() {
        let record = record();
        let line = record.to_line() + "rest of a longer line\n";
        assert_eq!(Record::from_bytes(line.as_bytes()), Some(record));
    }

    #[test]
    fn half_a_record_is_none() {
        let line = record().to_line();
        for end in 0..line.len() {
            assert_eq!(Record::from_bytes(&line.as_bytes()[..end]), None, "{end}");
        }
        assert_eq!(Record::from_bytes(b"something else\n"), None);
        assert_eq!(Record::from_bytes(b"\xff\xfe\n"), None);
    }

    #[test]
    fn tokens_grow_though_the_clock_does_not() {
        let mut record = record();
        let next = |record: &Record, now| Last::from(record.clone()).next_token(now).ok();
        assert_eq!(next(&record, 7), Some(43));
        assert_eq!(next(&record, 1000), Some(1000));
        record.clear();
        assert_eq!(next(&record, 7), Some(43));
    }

    #[test]
    fn a_parked_lock_is_kept_for_its_owner_until_its_time() {
        let mut record = record();
        let (ours, other) = ("worker 7 - %41".parse().unwrap(), Owner::from_bits(1));
        let kept_from = |record: &Record, owner| match Last::from(record.clone()).parked_by(owner) {
            Parked::Others(left) => Some(left),
            Parked::Not | Parked::Mine => None,
        };
        record.park(Moment::now().after(Duration::from_secs(5)));
        assert!(kept_from(&record, &other).is_some());
        assert!(kept_from(&record, &ours).is_none());
        assert!(matches!(record.parked_by(&ours), Parked::Mine));
        assert_eq!(Last::from(record.clone()).holder(Duration::ZERO).unwrap().owner, ours);
        record.park(Moment::now());
        assert!(kept_from(&record, &other).is_none());
        record.park(Moment::now().after(Duration::from_secs(5)));
        record.boot = "another boot".into();
        assert!(kept_from(&record, &other).is_none());
    }
}
