//! How one who releases a lock wakes those who wait for it in other processes, and when it need not.
//!
//! A write to the file is announced to all who watch it. The *bell* is such a write that changes nothing, after the
//! lock was given back; it is left out while nobody has made the *mark* in the file's first byte.
//!
//! Why no waiter is forgotten. A waiter watches the file, and before each sleep, in this order, it (1) makes the mark
//! unless it is there, and (2) tries the lock, in vain, at a moment at which some holder has it. That holder, later,
//! (3) unlocks, and (4) looks for the mark. The kernel orders (2) before (3) by its own lock, so (4) comes after (1):
//! - The mark is still there at (4): the bell rings after the waiter's last try, and wakes it.
//! - Or it was cleared after (1). Only a record does that, which is written to the file by one who has it locked: this
//!   is announced like a bell, after the waiter began to watch and before that lock is free again. The waiter looks
//!   again, and makes the mark anew.
//!
//! All that ends a lock otherwise is heard without a mark: of a process that dies and of a lease that is given away,
//! the closing of the file; of one that was taken by force, or had for a look only (`Client::leave`), a bell in any
//! case. A waiter that cannot watch does not rely on being woken.

#[cfg(test)]
mod model;

use std::{io, os::unix::fs::FileExt};

use super::{
    opened::Opened,
    record::{BELL, MARK},
};

impl Opened {
    /// Wakes those who wait for the lock in other processes. Only after [`unlock`](Self::unlock).
    pub(super) fn ring(&self) -> io::Result<()> {
        self.file.write_all_at(BELL.0, BELL.1)
    }

    /// The same, unless nobody waits. Only after [`unlock`](Self::unlock).
    pub(super) fn ring_if_awaited(&self) -> io::Result<()> {
        // Where it cannot be known, somebody may wait.
        if self.is_marked().unwrap_or(true) { self.ring() } else { Ok(()) }
    }

    /// Lets those who release the lock, or take it again and again, know that somebody waits for it.
    pub(super) fn mark_awaited(&self) -> io::Result<()> {
        if self.is_marked()? { Ok(()) } else { self.file.write_all_at(MARK.0, MARK.1) }
    }

    /// By the byte alone: what else stands in the file may be no record.
    fn is_marked(&self) -> io::Result<bool> {
        let mut mark = [0];
        Ok(rustix::io::pread(&self.file, &mut mark, MARK.1)? > 0 && mark == *MARK.0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        mem::MaybeUninit,
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    use rustix::{
        fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init},
        io::Errno,
    };

    use super::{super::tests::Place, *};

    #[test]
    fn only_a_lock_that_somebody_waits_for_is_rung() {
        let place = Place::new();
        let lock = place.locker().lock("k");
        for marked in [false, true] {
            let guard = lock.acquire().unwrap();
            if marked {
                let file = std::fs::File::options().write(true).open(place.file_of("k")).unwrap();
                file.write_all_at(MARK.0, MARK.1).unwrap();
            }
            let queue = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
            add_watch(&queue, place.file_of("k"), WatchFlags::MODIFY).unwrap();
            guard.release().unwrap();
            let rung = match Reader::new(&queue, &mut [MaybeUninit::uninit(); 512]).next() {
                Ok(_) => true,
                Err(Errno::WOULDBLOCK) => false,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(rung, marked);
        }
    }

    /// A wake-up that got lost would be made good after some 4 s, at a look that waiters take in any case.
    #[test]
    fn no_wake_up_is_lost_however_waits_and_releases_meet() {
        const MADE_GOOD: Duration = Duration::from_secs(3);
        let place = Place::new();
        let (ours, theirs) = (place.locker().lock("k"), place.locker().lock("k"));
        let (start, started) = mpsc::channel();
        let (had, is_had) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for () in started {
                    drop(theirs.acquire().unwrap());
                    had.send(()).unwrap();
                }
            });
            for round in 0..4000 {
                let guard = ours.acquire().unwrap();
                start.send(()).unwrap();
                // From before the waiter's first look until after it has gone to sleep.
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_nanos(round * 97 % 200_000) {}
                drop(guard);
                is_had.recv_timeout(MADE_GOOD).unwrap();
            }
            drop(start);
        });
    }
}
