//! Directories that are removed at the end.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// A new directory, closed to others, removed when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lock-{name}-{}-{number}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The URL of locks in it.
    pub fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Somebody may have removed it for a test.
        let _ = fs::remove_dir_all(&self.0);
    }
}
