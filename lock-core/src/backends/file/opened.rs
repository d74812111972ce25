//! A file of a key that is open: the lock on it, and what stands in it.

use std::{
    fs::{File, TryLockError},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt},
    },
};

#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, StatxFlags};
use rustix::{
    fs::{self, FlockOperation},
    io::Errno,
};

use super::{
    listed::{Listed, Locks},
    record::{Last, Record},
    streak::Streak,
};
use crate::lease::Holder;

/// How much of a record an acquire reads at first; an owner with a long name makes it read all.
const GLANCE: usize = 128;

/// The file of a key, open for reading, and where it is to be locked, for writing.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// How this process has used it lately.
    pub(super) streak: Streak,
    /// It is not where others meet any more: its directory, or it alone, was moved away.
    pub(super) stray: bool,
    /// How often names had changed when it was locked.
    pub(super) locked_at: u64,
}

impl Opened {
    pub(super) fn new(file: File) -> Self {
        Self { file, streak: Streak::default(), stray: false, locked_at: 0 }
    }

    /// `false`: somebody has it.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        match fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Not left to closing: a forked child would keep the lock.
    pub(super) fn unlock(&self) -> io::Result<()> {
        Ok(fs::flock(&self.file, FlockOperation::Unlock)?)
    }

    /// Whether the file still has its name in the directory.
    pub(super) fn is_linked(&self) -> io::Result<bool> {
        // Only this of what there is to know: a look at its times makes the next write record the exact time, which
        // takes Linux longer than the write.
        #[cfg(target_os = "linux")]
        if let Ok(known) = fs::statx(&self.file, c"", AtFlags::EMPTY_PATH, StatxFlags::NLINK) {
            return Ok(known.stx_nlink > 0);
        }
        Ok(self.file.metadata()?.nlink() > 0)
    }

    /// What an acquire needs of the record.
    pub(super) fn last(&self) -> io::Result<Last> {
        let mut bytes = [0; GLANCE];
        let length = rustix::io::pread(&self.file, &mut bytes, 0)?;
        match Last::glance(&bytes[..length]) {
            Some(last) => Ok(last),
            None => self.read().map(Last::from),
        }
    }

    pub(super) fn read(&self) -> io::Result<Record> {
        let mut bytes = [0; 512];
        let length = self.file.read_at(&mut bytes, 0)?;
        if length < bytes.len() || bytes.contains(&b'\n') {
            return Ok(Record::from_bytes(&bytes[..length]).unwrap_or_default());
        }
        let mut all = vec![0; 16 * 1024];
        let length = self.file.read_at(&mut all, 0)?;
        Ok(Record::from_bytes(&all[..length]).unwrap_or_default())
    }

    pub(super) fn write(&self, line: &[u8]) -> io::Result<()> {
        match rustix::io::pwrite(&self.file, line, 0) {
            Ok(length) if length == line.len() => Ok(()),
            // A full disk, which tells of itself at the next byte.
            Ok(_) | Err(Errno::INTR) => self.file.write_all_at(line, 0),
            Err(error) => Err(error.into()),
        }
    }

    /// Who holds the lock, or for whom it is kept.
    pub(super) fn holder(&self, locks: &Locks) -> io::Result<Option<Holder>> {
        let record = self.read()?;
        let kept_for = record.parked_for();
        let taken = kept_for.is_some() || self.is_locked_by_somebody(locks, &record)?;
        Ok(if taken { record.holder(kept_for) } else { None })
    }

    /// Whether any process has the file locked, without getting in its way.
    fn is_locked_by_somebody(&self, locks: &Locks, record: &Record) -> io::Result<bool> {
        let about = self.file.metadata()?;
        match locks.find((fs::major(about.dev()), fs::minor(about.dev()), about.ino()), record.pid()) {
            Some(Listed::Surely) => Ok(true),
            // The list leaves out the processes of other containers.
            Some(Listed::No) if record.is_within_sight() => Ok(false),
            _ => self.probe(),
        }
    }

    /// Takes the lock for a moment, together with others who look, and wakes those who failed because of that.
    fn probe(&self) -> io::Result<bool> {
        match self.file.try_lock_shared() {
            Ok(()) => {
                self.file.unlock()?;
                // This one may be open for reading only. Closing one that is open for writing is heard as well.
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                drop(File::options().write(true).open(path));
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
