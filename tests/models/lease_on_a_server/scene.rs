//! What is explored together: the bounds, without which there would be no end to it.

use super::{
    mistakes::Mistake,
    words::{LONG, TTL, Tick},
};

#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// How many acquisitions each client begins.
    pub(crate) begins: &'static [u8],
    /// When time ends.
    pub(crate) horizon: Tick,
    /// How many messages may be under way before clients wait to send theirs.
    pub(crate) under_way: usize,
    /// How many requests there are to an acquisition, the last attempt not counted.
    pub(crate) asks: u8,
    /// How many tokens a request reserves.
    pub(crate) reserves: &'static [u8],
    pub(crate) renewals: u8,
    /// For how long a lease is renewed at most: a longer time is an extension.
    pub(crate) longest: Tick,
    /// Leases may be given away, and be adopted.
    pub(crate) gives_away: bool,
    /// Who is refused stands in line.
    pub(crate) waits: bool,
    pub(crate) deaths: u8,
    /// Restarts and fail-overs.
    pub(crate) failures: u8,
    /// Every message arrives before time goes on, but for pushes and what is asked again; nobody gives up.
    pub(crate) prompt: bool,
    pub(crate) mistake: Option<Mistake>,
}

/// Leases that are renewed and run out, and requests that are late.
pub(crate) const LEASES: Scene = Scene {
    name: "leases",
    begins: &[2, 1],
    horizon: 4,
    under_way: 2,
    asks: 1,
    reserves: &[1],
    renewals: 1,
    longest: TTL,
    gives_away: false,
    waits: false,
    deaths: 0,
    failures: 0,
    prompt: false,
    mistake: None,
};

/// Leases that are extended, and asked for twice.
pub(crate) const EXTENSIONS: Scene =
    Scene { name: "extensions", begins: &[1, 1], horizon: 3, asks: 2, longest: LONG, ..LEASES };

/// Blocks of tokens that are handed over inside the processes.
pub(crate) const BLOCKS: Scene =
    Scene { name: "blocks", begins: &[1, 1], asks: 2, reserves: &[1, 2], renewals: 0, horizon: 3, ..LEASES };

/// Leases that are given away, after they may have been asked for twice.
pub(crate) const ADOPTIONS: Scene = Scene { name: "adoptions", gives_away: true, renewals: 0, ..EXTENSIONS };

/// A line, which may be left, and to which nothing is told for certain.
pub(crate) const LINE: Scene =
    Scene { name: "line", begins: &[1, 1], horizon: 3, asks: 2, renewals: 0, waits: true, ..LEASES };

/// A line of three.
pub(crate) const LONG_LINE: Scene =
    Scene { name: "long line", begins: &[1, 1, 1], horizon: 1, asks: 1, ..LINE };

/// A server that starts with nothing, or with what it had some time ago, under leases that are renewed and handed over.
pub(crate) const FAILURES: Scene =
    Scene { name: "failures", begins: &[1, 1], failures: 1, reserves: &[2], ..LEASES };

/// The same under one that comes back.
pub(crate) const RETURNS: Scene =
    Scene { name: "returns", begins: &[2, 1], horizon: 3, failures: 1, renewals: 0, ..LEASES };

/// Holders that die and pushes that get lost, with a restart: who waits is on its own.
pub(crate) const TIMERS: Scene = Scene {
    name: "timers",
    begins: &[1, 1, 1],
    horizon: 7,
    asks: 8,
    deaths: 1,
    failures: 1,
    prompt: true,
    ..LINE
};
