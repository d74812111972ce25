//! What this process writes of its holds, for the history checker.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use lock_core::Guard;

use crate::history::{History, now};

/// A file that several processes write to, a line at a time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins one, or goes on with it.
    ///
    /// # Panics
    /// If the file cannot be opened.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        Self { file, path }
    }

    /// Where it is, for other processes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock was had.
    pub fn acquired(&self, guard: &Guard) {
        self.note("A", guard);
    }

    /// It is about to be given back, or was found to be lost.
    pub fn releasing(&self, guard: &Guard) {
        self.note("R", guard);
    }

    /// A process was killed after that moment.
    pub fn killed(&self, process: u32, at: u64) {
        self.write(&format!("K {process} {at}\n"));
    }

    /// What has been written so far.
    pub fn history(&self) -> History {
        History::read(&self.path)
    }

    fn note(&self, what: &str, guard: &Guard) {
        // The deadline is taken first: what it is said to be must not be later than it is.
        let now = now();
        let left = u64::try_from(guard.remaining().as_nanos()).unwrap_or(u64::MAX);
        let until = now.saturating_add(left);
        self.write(&format!("{what} {} {} {now} {until}\n", guard.fencing_token(), std::process::id()));
    }

    fn write(&self, line: &str) {
        (&self.file).write_all(line.as_bytes()).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use lock_core::Locker;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_is_written_is_a_history() {
        let scratch = Scratch::new("journal");
        let journal = Journal::at(scratch.path().join("history"));
        let lock = Locker::open("memory://journal").unwrap().lock("k");
        for _ in 0..3 {
            let guard = lock.acquire().unwrap();
            journal.acquired(&guard);
            journal.releasing(&guard);
        }
        journal.killed(1, now());
        assert_eq!(journal.history().holds.len(), 3);
        journal.history().assert_right();
    }
}
