//! Released files that stay open for their next use.

use super::opened::Opened;
use crate::{
    key::Key,
    sync::{self, Mutex},
};

/// How many. Opening a file again takes as long as all the rest of an acquire.
const MOST: usize = 32;

/// See the [module](self). A list, last used last: what is taken most often is found at once, with nothing to hash.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<(Key, Opened)>>);

impl Idle {
    pub(super) fn take(&self, key: &Key) -> Option<Opened> {
        let mut files = sync::lock(&self.0);
        let place = files.iter().rposition(|(known, _)| known == key)?;
        Some(files.remove(place).1)
    }

    /// Keeps a file in the place of another one of this key, or of the one that was not used for longest.
    pub(super) fn keep(&self, key: &Key, file: Opened) {
        let mut files = sync::lock(&self.0);
        let known = files.iter().rposition(|(known, _)| known == key);
        let place = known.or_else(|| (files.len() >= MOST).then_some(0));
        let closed = place.map(|place| files.remove(place));
        files.push((key.clone(), file));
        drop(files);
        // Closing it is heard by those who wait for it, and is not done under the mutex.
        drop(closed);
    }

    pub(super) fn clear(&self) {
        let closed = std::mem::take(&mut *sync::lock(&self.0));
        drop(closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Opened {
        Opened::new(std::fs::File::open("/dev/null").unwrap())
    }

    #[test]
    fn the_file_that_was_used_last_stays_open_longest() {
        let (idle, key) = (Idle::default(), |number: usize| Key::from(number.to_string()));
        (0..MOST).for_each(|number| idle.keep(&key(number), file()));
        let first = idle.take(&key(0)).unwrap();
        idle.keep(&key(0), first);
        idle.keep(&key(MOST), file());
        assert!(idle.take(&key(1)).is_none());
        assert!([0, 2, MOST].iter().all(|number| idle.take(&key(*number)).is_some()));
        assert!(idle.take(&key(0)).is_none(), "it is there once");
    }

    #[test]
    fn a_key_has_one_file() {
        let (idle, key) = (Idle::default(), Key::from("k"));
        idle.keep(&key, file());
        idle.keep(&key, file());
        assert!(idle.take(&key).is_some() && idle.take(&key).is_none());
        idle.keep(&key, file());
        idle.clear();
        assert!(idle.take(&key).is_none());
    }
}
