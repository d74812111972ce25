//! What is asked of the server most often, by one or by many at once: to acquire, and to release.

use std::{sync::Arc, time::Duration};

use redis::Script;

use super::{
    crowd::{Crowd, Crowds},
    names::{self, Name},
    scripts::{Call, Scripts},
};
use crate::{
    key::Key,
    lease::{Lease, Owner},
};

/// How much longer than its lease a record is kept, for the next token to be higher also if the clock was set back. What
/// is kept longer piles up, where every key is used once.
const KEPT: Duration = Duration::from_mins(10);

/// A request that can be sent together with others.
pub(super) trait Wish: Sized + Send + Sync + 'static {
    /// Those who wait to be sent together.
    fn crowd(crowds: &Crowds) -> &Crowd<Self>;

    /// The script for one, and that for many.
    fn scripts(scripts: &Scripts) -> [&Script; 2];

    /// Whether one request can be for both.
    fn goes_with(&self, other: &Self) -> bool;

    fn keys(&self) -> [Name<'_>; 3];

    /// The arguments that are the same for all.
    fn common<'a>(&self, call: Call<'a>) -> Call<'a>;

    /// The arguments of each.
    fn each<'a>(&self, call: Call<'a>) -> Call<'a>;

    fn alone<'a>(&self, scripts: &'a Scripts) -> Call<'a> {
        let [one, _] = Self::scripts(scripts);
        self.each(self.common(Call::new(one, &self.keys())))
    }
}

/// To acquire.
pub(super) struct Take {
    pub(super) key: Key,
    pub(super) owner: Owner,
    pub(super) ttl: Duration,
    pub(super) reserve: u32,
    /// ` pid host `, for the record.
    pub(super) whom: Arc<str>,
    /// The first part of a place in line.
    pub(super) told: Arc<str>,
    pub(super) stands: Stands,
}

/// Whether a request stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    NotYet = 0,
    Maybe = 1,
    NoLonger = 2,
    Never = 3,
}

impl Wish for Take {
    fn crowd(crowds: &Crowds) -> &Crowd<Self> {
        &crowds.takes
    }

    fn scripts(scripts: &Scripts) -> [&Script; 2] {
        [&scripts.acquire, &scripts.acquire_many]
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.told == other.told && self.whom == other.whom
    }

    fn keys(&self) -> [Name<'_>; 3] {
        names::all(&self.key)
    }

    fn common<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.arg(&*self.whom).arg(&*self.told)
    }

    fn each<'a>(&self, call: Call<'a>) -> Call<'a> {
        let (ttl, kept) = (millis(self.ttl), kept(self.ttl));
        call.owner(&self.owner).arg(ttl).arg(kept).arg(self.reserve).arg(self.stands as u8)
    }
}

/// To release.
pub(super) struct Give {
    key: Key,
    owner: Owner,
}

impl From<&Lease> for Give {
    fn from(lease: &Lease) -> Self {
        Self { key: lease.key.clone(), owner: lease.owner.clone() }
    }
}

impl Wish for Give {
    fn crowd(crowds: &Crowds) -> &Crowd<Self> {
        &crowds.gives
    }

    fn scripts(scripts: &Scripts) -> [&Script; 2] {
        [&scripts.release, &scripts.release_many]
    }

    fn goes_with(&self, _: &Self) -> bool {
        true
    }

    fn keys(&self) -> [Name<'_>; 3] {
        names::all(&self.key)
    }

    fn common<'a>(&self, call: Call<'a>) -> Call<'a> {
        call
    }

    fn each<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.owner(&self.owner)
    }
}

/// How long a record is kept beside a lease of `ttl`.
pub(super) fn kept(ttl: Duration) -> u64 {
    millis(ttl + KEPT)
}

/// A duration as the server takes it.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
