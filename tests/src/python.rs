//! The Python with the clients that others use, which `tests/run python` makes.

use std::{path::PathBuf, process::Command};

/// A command that runs a script of this package.
///
/// # Panics
/// If there is no such Python.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg("-B").arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script));
    command
}

/// `TESTS_PYTHON`, or the one in the target directory.
fn interpreter() -> PathBuf {
    if let Some(chosen) = std::env::var_os("TESTS_PYTHON") {
        return chosen.into();
    }
    let this = std::env::current_exe().unwrap();
    let places = this.ancestors().skip(1).map(|directory| directory.join("venv/bin/python"));
    places.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no Python with redis-py: run `tests/run python`, or name one that has tests/interop/requirements.txt \
             installed in TESTS_PYTHON"
        )
    })
}
