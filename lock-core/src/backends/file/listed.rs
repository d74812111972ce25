//! What the kernel tells of who has locked which file.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
};

/// The files that are locked with `flock`, as far as the kernel tells this process, by device and inode.
#[derive(Debug)]
pub(super) struct Locks {
    listed: Option<HashSet<Inode>>,
    /// The list was told at once, and misses nothing.
    whole: bool,
    of_processes: RefCell<HashMap<u32, HashSet<Inode>>>,
}

/// Of a file: the major and minor number of its device, and its own.
pub(super) type Inode = (u32, u32, u64);

/// Whether a file is in the list.
pub(super) enum Listed {
    Surely,
    /// One of that number is, on what looks like another device; some file systems show two.
    Perhaps,
    No,
}

impl Locks {
    pub(super) fn now() -> Self {
        let (listed, whole) = match Self::read() {
            Ok((locks, reads)) => (Some(flocks(&locks).collect()), reads <= 1),
            Err(_) => (None, false),
        };
        Self { listed, whole, of_processes: RefCell::default() }
    }

    /// The list, and in how many pieces the kernel told it: at most a page at a time, and less if less is asked for.
    /// What is given back between two of them moves others out of sight.
    fn read() -> io::Result<(String, u32)> {
        let (mut file, mut text, mut piece, mut reads) =
            (File::open("/proc/locks")?, Vec::new(), vec![0; 16 * 1024], 0);
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok((String::from_utf8_lossy(&text).into_owned(), reads));
            }
            text.extend_from_slice(&piece[..length]);
            reads += 1;
        }
    }

    /// `None`: the kernel does not tell.
    pub(super) fn find(&self, file: Inode, process: u32) -> Option<Listed> {
        let listed = self.listed.as_ref()?;
        if listed.contains(&file) || (!self.whole && self.is_of(process, file)) {
            return Some(Listed::Surely);
        }
        let of_that_number = listed.iter().any(|other| other.2 == file.2);
        Some(if of_that_number { Listed::Perhaps } else { Listed::No })
    }

    /// Whether a process that had the lock last has it still: of each of its files, the kernel tells for certain.
    fn is_of(&self, process: u32, file: Inode) -> bool {
        let mut known = self.of_processes.borrow_mut();
        let locks = known.entry(process).or_insert_with(|| {
            let files = std::fs::read_dir(format!("/proc/{process}/fdinfo")).into_iter().flatten().flatten();
            let told = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
            told.flat_map(|told| flocks(&told).collect::<Vec<_>>()).collect()
        });
        locks.contains(&file)
    }
}

fn flocks(text: &str) -> impl Iterator<Item = Inode> + '_ {
    text.lines().filter(|line| line.contains("FLOCK")).filter_map(inode)
}

/// Of `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`, the 08:01:1234, of which the device is hexadecimal.
fn inode(line: &str) -> Option<Inode> {
    let mut place = line.split_whitespace().find(|field| field.matches(':').count() == 2)?.split(':');
    let mut device = || u32::from_str_radix(place.next()?, 16).ok();
    Some((device()?, device()?, place.next()?.parse().ok()?))
}
