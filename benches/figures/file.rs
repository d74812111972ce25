//! Files, nobody else there: acquire and release.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, each, interleaved},
};
use lock::Locker;

use crate::Effort;

const COUNT: u32 = 300;

pub(crate) fn measure(effort: Effort) -> Result<Vec<Row>> {
    let directory = Scratch::new("file")?;
    let locker = directory.locker();
    let prepared = locker.lock("uncontended");
    let floor = directory.0.join("floor");
    let mut runs: Vec<Run<'_>> = vec![
        Box::new(|| each(COUNT, || Ok(prepared.acquire()?))),
        Box::new(|| {
            each(COUNT, || {
                let file =
                    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&floor)?;
                file.try_lock()?;
                Ok(file)
            })
        }),
    ];
    let samples = interleaved(effort.rounds(151), effort.patience(), &mut runs)?;
    let (ours, theirs, ratio) = (samples.median(0), samples.median(1), samples.ratio(0, 1));
    let figure = "file: acquire + release";
    Ok(vec![Row::beside(figure, ours, "open + flock + close", theirs, ratio, Demand::AtMost(2.0))])
}

/// A directory for one figure's locks, removed in the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(figure: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("lock-bench-{figure}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn locker(&self) -> Locker {
        Locker::with_backend(lock::backends::File::shared(&self.0))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
