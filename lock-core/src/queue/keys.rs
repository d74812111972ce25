//! The keys of a shard.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
};

use super::entry::Entry;
use crate::key::Key;

/// A key with its hash, computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    hash: u64,
    key: Key,
}

impl Hashed {
    pub(super) fn new(key: Key, hasher: &impl BuildHasher) -> Self {
        Self { hash: hasher.hash_one(&key), key }
    }

    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }
}

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Hands on the hash that a [`Hashed`] brings along.
#[derive(Clone, Copy, Debug, Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl BuildHasher for Prehashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

/// A map from keys to entries whose first entry has a place of its own.
///
/// With many shards, a shard has one key most of the time, and a map takes longer to change than to compare one key.
#[derive(Default)]
pub(super) struct Keys {
    first: Option<(Hashed, Entry)>,
    others: HashMap<Hashed, Entry, Prehashed>,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    #[inline]
    pub(super) fn get(&self, key: &Hashed) -> Option<&Entry> {
        match &self.first {
            Some((first, entry)) if first == key => Some(entry),
            _ => self.others.get(key),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: &Hashed) -> Option<&mut Entry> {
        match &mut self.first {
            Some((first, entry)) if first == key => Some(entry),
            _ => self.others.get_mut(key),
        }
    }

    /// Adds a key that is not there yet.
    #[inline]
    pub(super) fn insert(&mut self, key: Hashed, entry: Entry) {
        if self.first.is_none() {
            self.first = Some((key, entry));
        } else {
            self.others.insert(key, entry);
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, key: &Hashed) {
        match &self.first {
            Some((first, _)) if first == key => self.first = None,
            _ => drop(self.others.remove(key)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Hashed, &Entry)> {
        let first = self.first.iter().map(|(key, entry)| (key, entry));
        first.chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        let hasher = RandomState::new();
        let all: Vec<_> = ["a", "b", "c"].map(|key| Hashed::new(Key::from(key), &hasher)).into();
        let mut keys = Keys::default();
        for round in 0..all.len() {
            for (turn, key) in (1..).zip(&all) {
                assert!(keys.get(key).is_none());
                keys.insert(key.clone(), Entry::new(turn));
            }
            assert_eq!(keys.len(), all.len());
            assert_eq!(keys.iter().count(), all.len());
            // In another order each time, so that every key was the first to be removed.
            for place in 0..all.len() {
                let place = (place + round) % all.len();
                assert_eq!(keys.get_mut(&all[place]).map(|entry| entry.turn), (1..).nth(place));
                keys.remove(&all[place]);
                assert!(keys.get(&all[place]).is_none());
            }
            assert_eq!(keys.len(), 0);
        }
    }

    #[test]
    fn a_key_that_comes_back_is_there_once() {
        let hasher = RandomState::new();
        let [a, b] = ["a", "b"].map(|key| Hashed::new(Key::from(key), &hasher));
        let mut keys = Keys::default();
        keys.insert(a.clone(), Entry::new(1));
        keys.insert(b.clone(), Entry::new(2));
        keys.remove(&a);
        keys.insert(a.clone(), Entry::new(3));
        keys.remove(&b);
        assert_eq!(keys.iter().map(|(_, entry)| entry.turn).collect::<Vec<_>>(), [3]);
    }
}
