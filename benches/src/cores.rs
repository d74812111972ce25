//! Where the client's and the server's threads run.

use std::{fs, sync::OnceLock};

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::Result;

/// Which processors may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Any, as the kernel likes.
    Free,
    /// The first one for the clients, another one for the server.
    Pinned,
}

impl Cores {
    /// Both ways, where there are cores enough.
    pub fn all() -> &'static [Self] {
        if cores().len() < 2 { &[Self::Free] } else { &[Self::Free, Self::Pinned] }
    }

    /// Puts this process, those that it starts from now on, and the server there.
    ///
    /// # Errors
    /// If there is no such server.
    pub fn apply(self, server: u32) -> Result {
        let (client, remote) = self.both();
        place(std::process::id(), client)?;
        place(server, remote)
    }

    /// The same where all that this process has started so far are servers, with processes of their own.
    ///
    /// # Errors
    /// If the kernel does not tell what it has started.
    pub fn apply_to_started(self) -> Result {
        let (client, remote) = self.both();
        let own = std::process::id();
        place(own, client)?;
        for process in started_by(own)? {
            // One that has ended meanwhile needs no place.
            place(process, remote).ok();
        }
        Ok(())
    }

    fn both(self) -> (&'static [usize], &'static [usize]) {
        let all = cores();
        match self {
            Self::Free => (all, all),
            Self::Pinned => (&all[..1], &all[1..2]),
        }
    }

    /// What stands behind a figure's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Pinned => ", pinned",
        }
    }
}

/// Those that this process had when it began.
fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
    })
}

/// What a process has started, and what that has.
fn started_by(process: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.path();
        let children = match fs::read_to_string(thread.join("children")) {
            Err(_) if !thread.exists() => continue,
            children => children?,
        };
        for child in children.split_whitespace() {
            let child = child.parse()?;
            found.push(child);
            // One that has ended meanwhile has none.
            found.extend(started_by(child).unwrap_or_default());
        }
    }
    Ok(found)
}

/// Every thread of a process.
fn place(process: u32, cores: &[usize]) -> Result {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let number = thread?.file_name().to_string_lossy().parse()?;
        // One that has ended meanwhile needs no place.
        sched_setaffinity(Pid::from_raw(number), &set).ok();
    }
    Ok(())
}
