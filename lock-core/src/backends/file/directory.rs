//! The directory of the locks: who may use it, and how a key becomes a file name.

use std::{
    fmt,
    fs::{DirBuilder, File, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, FileExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    fs::{self, AtFlags, Dir, Mode, OFlags},
    io::Errno,
};

use super::{opened::Opened, record::Record};
use crate::{backend::Fault, backends::encoded::encoded, key::Key};

/// The beginning of files on their way to their place; `~` never begins the name of a key's file.
const TEMPORARY: &str = "~new-";

/// Where the locks are.
pub(super) struct Directory {
    path: PathBuf,
    private: bool,
    opened: Mutex<Option<Arc<OwnedFd>>>,
}

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("lock directory {path:?}: {source}")]
struct InDirectory {
    path: PathBuf,
    source: io::Error,
}

impl Directory {
    pub(super) fn new(path: PathBuf, private: bool) -> Self {
        // A relative path would mean another directory after a change of the current one.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, private, opened: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error with the directory named in it.
    pub(super) fn fault(&self, source: io::Error) -> Fault {
        let lasting = matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::ReadOnlyFilesystem
        );
        let fault = Fault::failed(InDirectory { path: self.path.clone(), source });
        if lasting { fault.permanent() } else { fault }
    }

    /// The file of a key, for locking. It is made where there is none.
    pub(super) fn open(&self, key: &Key) -> io::Result<Opened> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let name = file_name(key);
        self.forget_unless_in_place();
        match Self::open_at(&*self.opened()?, &name, flags) {
            // The directory was removed since it was opened.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget();
                Self::open_at(&*self.opened()?, &name, flags)
            }
            opened => opened,
        }
    }

    /// The file of a key, for writing into it; `None` where there is none.
    pub(super) fn open_existing(&self, key: &Key) -> io::Result<Option<Opened>> {
        self.open_if_there(&file_name(key), OFlags::RDWR)
    }

    /// The file of a key, for looking into it; `None` where there is none.
    pub(super) fn look_at(&self, key: &Key) -> io::Result<Option<Opened>> {
        self.open_if_there(&file_name(key), OFlags::RDONLY)
    }

    fn open_if_there(&self, name: &str, access: OFlags) -> io::Result<Option<Opened>> {
        self.forget_unless_in_place();
        match Self::open_at(&*self.opened()?, name, access) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn open_at(directory: &OwnedFd, name: &str, access: OFlags) -> io::Result<Opened> {
        // Without blocking: something else of that name, a pipe, would make us wait for its other end.
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(opened.map_err(|error| Self::explain(name, error))?);
        if file.metadata()?.is_file() {
            Ok(Opened::new(file))
        } else {
            Err(io::Error::other(format!(
                "{name:?} in it is not a file; what is not a lock's does not belong there"
            )))
        }
    }

    fn explain(name: &str, error: Errno) -> io::Error {
        let explained = match error {
            Errno::ISDIR => "is a directory, where the file of a lock is to be",
            Errno::LOOP => "is a symbolic link, which is not followed",
            Errno::MFILE => {
                "cannot be opened, as the process has too many files open (ulimit -n); a held lock is one"
            }
            _ => return error.into(),
        };
        io::Error::new(io::Error::from(error).kind(), format!("{name:?} {explained}"))
    }

    /// Every file of a key.
    pub(super) fn all(&self) -> io::Result<impl Iterator<Item = io::Result<Opened>> + '_> {
        let directory = self.opened()?;
        let entries = Dir::read_from(&*directory)?;
        let names = entries.filter_map(|entry| match entry {
            Ok(entry) => match entry.file_name().to_str() {
                Ok(name) if name.starts_with(TEMPORARY) || name == "." || name == ".." => None,
                Ok(name) => Some(Ok(name.to_owned())),
                // Not a name of ours.
                Err(_) => None,
            },
            Err(error) => Some(Err(io::Error::from(error))),
        });
        Ok(names.filter_map(move |name| {
            let opened = name.and_then(|name| match Self::open_at(&directory, &name, OFlags::RDONLY) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                opened => opened.map(Some),
            });
            opened.transpose()
        }))
    }

    /// Puts a new file with this record in the place of the key's.
    pub(super) fn replace(&self, key: &Key, record: &Record) -> io::Result<()> {
        let directory = self.opened()?;
        let new = format!("{TEMPORARY}{}-{}", std::process::id(), crate::clock::unix_micros());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(fs::openat(&*directory, &new, flags, Mode::RUSR | Mode::WUSR)?);
        let placed = file.write_all_at(record.to_line().as_bytes(), 0).and_then(|()| {
            fs::renameat(&*directory, &new, &*directory, file_name(key)).map_err(io::Error::from)
        });
        if placed.is_err() {
            // What is left is named as not a lock's, and harmless.
            let _ = fs::unlinkat(&*directory, &new, AtFlags::empty());
        }
        placed
    }

    /// Whether a key's name stands for this file.
    pub(super) fn has_in_place(&self, key: &Key, file: &File) -> bool {
        let place = |about: fs::Stat| (about.st_dev, about.st_ino);
        let there = fs::lstat(self.path_of(key)).map(place);
        matches!((there, fs::fstat(file).map(place)), (Ok(there), Ok(ours)) if there == ours)
    }

    /// Where the file of a key is.
    pub(super) fn path_of(&self, key: &Key) -> PathBuf {
        self.path.join(file_name(key))
    }

    /// Whether the directory can be used, and written to.
    pub(super) fn check(&self) -> io::Result<()> {
        self.forget();
        let directory = self.opened()?;
        fs::accessat(&*directory, ".", fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::empty())?;
        Ok(())
    }

    fn opened(&self) -> io::Result<Arc<OwnedFd>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &*opened {
            return Ok(Arc::clone(directory));
        }
        let directory = Arc::new(self.enter()?);
        *opened = Some(Arc::clone(&directory));
        Ok(directory)
    }

    /// Somebody may have moved the directory away, or made it anew: others meet at the path.
    fn forget_unless_in_place(&self) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(directory) = &*opened else { return };
        let place = |about: fs::Stat| (about.st_dev, about.st_ino);
        let (ours, theirs) = (fs::fstat(directory).map(place), fs::lstat(&self.path).map(place));
        if !matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs) {
            *opened = None;
        }
    }

    fn forget(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes the directory if need be, opens it, and checks that nobody else can play with the files in it.
    fn enter(&self) -> io::Result<OwnedFd> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    io::Error::new(io::ErrorKind::NotADirectory, "there is a file where a directory is to be")
                }
                _ => error,
            }
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = fs::open(&self.path, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => io::Error::new(
                io::ErrorKind::NotADirectory,
                "it is a symbolic link, which is not followed, or no directory",
            ),
            error => error.into(),
        })?;
        let file = File::from(directory);
        let about = file.metadata()?;
        let (owner, mode) = (std::os::unix::fs::MetadataExt::uid(&about), about.permissions());
        self.check_owner(owner)?;
        self.check_mode(&mode)?;
        Ok(file.into())
    }

    fn check_owner(&self, owner: u32) -> io::Result<()> {
        let user = rustix::process::geteuid().as_raw();
        let accepted = owner == user || (!self.private && owner == 0);
        if accepted {
            return Ok(());
        }
        let whom = if self.private { "this user" } else { "this user or root" };
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it belongs to user {owner}; accepted is one of {whom} ({user})"),
        ))
    }

    fn check_mode(&self, mode: &Permissions) -> io::Result<()> {
        let mode = mode.mode() & 0o777;
        let (forbidden, accepted) =
            if self.private { (0o077, "0700") } else { (0o002, "one not writable for all") };
        if mode & forbidden == 0 {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "its mode is {mode:04o}; accepted is {accepted}, as others could replace the files in it"
            ),
        ))
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.path, f)
    }
}

/// The name of a key's file: different for different keys, also where the file system ignores letter case.
fn file_name(key: &Key) -> String {
    const LONGEST: usize = 200;
    const KEPT: usize = 100;
    let stands = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    encoded(key, stands, LONGEST, KEPT)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_keys_have_different_names_everywhere() {
        let long = "x".repeat(1000);
        let keys = [
            "a",
            "A",
            "a.b",
            "a%2eb",
            "é",
            "e\u{301}",
            "..",
            ".",
            "~new-1",
            "a/b",
            "a b",
            "lock:a",
            "Lock:a",
            &format!("{long}1"),
            &format!("{long}2"),
            &"y".repeat(200),
            &"y".repeat(201),
        ];
        let names: HashSet<String> =
            keys.iter().map(|key| file_name(&Key::from(*key)).to_lowercase()).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|name| name.len() <= 200 && !name.contains('/') && !name.starts_with('.')));
    }
}
