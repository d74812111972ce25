//! The pages in `docs/` that keep the figures where people read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, machine};

/// A page to be written.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The file in `docs/`.
    pub file: &'a str,
    /// The heading.
    pub title: &'a str,
    /// What stands between the heading and the machine: what was measured and how to repeat it.
    pub about: &'a str,
    /// The packages that were compared.
    pub peers: &'a [&'a str],
}

impl Page<'_> {
    /// Writes it, with the machine and the versions of this moment, any `other` versions, and the figures.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, other: &[String], figures: &str) -> Result {
        let mut text = format!("# {}\n\n{}\n\n", self.title, self.about);
        text.extend(machine::describe(self.peers).iter().chain(other).map(|line| format!("- {line}\n")));
        text += "\n";
        text += figures;
        fs::write(path(self.file)?, text)?;
        println!("written to docs/{}", self.file);
        Ok(())
    }
}

/// Where a file of `docs/` is.
///
/// # Errors
/// If the directory is not there and cannot be made.
pub fn path(file: &str) -> Result<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(file))
}
