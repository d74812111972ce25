//! What stands in the file of a key: the last fencing token, and who took it.
//!
//! One line of text, `#lock/1 token owner pid since parked-until boot host space key`, written by whoever has the lock,
//! in one call. What a longer line left behind it is ignored. A line that cannot be read counts as none, and the
//! fencing token goes on from the clock.
//!
//! Two bytes of it are written by others. The first is made a `!` by a waiter, so that one who takes the lock again
//! and again knows of him. The second never changes: writing it once more is the bell.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io,
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::{
    backend::Request,
    clock::{self, Moment},
    key::Key,
    lease::{FencingToken, Holder, Owner},
};

const VERSION: &str = "lock/1";
const NOT_AWAITED: char = '#';
const AWAITED: char = '!';
/// Where a waiter leaves its mark, and what it is.
pub(super) const MARK: (&[u8], u64) = (b"!", 0);
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
    pub(super) fn of(request: &Request, token: FencingToken, process: u32) -> Self {
        Self {
            token,
            awaited: false,
            owner: Some(request.owner.clone()),
            pid: process,
            since: clock::unix_micros(),
            parked_until: 0,
            boot: Cow::Borrowed(""),
            host: Cow::Borrowed(&machine().host),
            space: Cow::Borrowed(&machine().space),
            key: Some(request.key.clone()),
        }
    }

    /// Higher than all before, also if the file was removed in between.
    ///
    /// Fails where it would not fit into a signed 64-bit column: nobody counts that far, so somebody has written it.
    pub(super) fn next_token(&self, now: u64) -> io::Result<FencingToken> {
        let next = now.max(self.token.saturating_add(1));
        if i64::try_from(next).is_ok() {
            return Ok(next);
        }
        Err(io::Error::other(format!(
            "the fencing tokens of this key are used up: its file says {}",
            self.token
        )))
    }

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

    /// How long the lock is kept for somebody else than `owner`.
    pub(super) fn parked(&self, owner: &Owner) -> Option<Duration> {
        match self.parked_by(owner) {
            Parked::Others(left) => Some(left),
            Parked::Not | Parked::Mine => None,
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
        let awaited = if self.awaited { AWAITED } else { NOT_AWAITED };
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
        let awaited = match begin.strip_suffix(VERSION)?.chars().next()? {
            AWAITED => true,
            NOT_AWAITED => false,
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
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |boot| boot.trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Ttl;

    fn record() -> Record {
        let owner = "worker 7 - %41".parse().unwrap();
        Record::of(&Request::exclusive(Key::from("a key: with spaces"), owner, Ttl::DEFAULT), 42, 7)
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
        assert_eq!(record.next_token(7).ok(), Some(43));
        assert_eq!(record.next_token(1000).ok(), Some(1000));
        record.clear();
        assert_eq!(record.next_token(7).ok(), Some(43));
    }

    #[test]
    fn a_parked_lock_is_kept_for_its_owner_until_its_time() {
        let mut record = record();
        let other = Owner::from_bits(1);
        record.park(Moment::now().after(Duration::from_secs(5)));
        assert!(record.parked(&other).is_some());
        assert!(record.parked("worker 7 - %41".parse().as_ref().unwrap()).is_none());
        record.park(Moment::now());
        assert!(record.parked(&other).is_none());
        record.park(Moment::now().after(Duration::from_secs(5)));
        record.boot = "another boot".into();
        assert!(record.parked(&other).is_none());
    }
}
