//! How soon things have to happen on a server.

use std::time::Duration;

/// Limits of a kind of server, and how long its cases make things last.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A ttl that ends soon.
    pub ttl: Duration,
    /// A ttl for half of which the server may stand still.
    pub roomy: Duration,
    /// A ttl in a third of which another connection is had.
    pub renewal: Duration,
    /// After how many bytes of the answer to a renewal it is cut: up to the first, in steps of the second.
    pub renewal_cuts: (usize, usize),
    /// How late a loss may be told.
    pub telling: Duration,
    /// How long after its ttl, or its server's return, a lock may still be taken.
    pub freed: Duration,
    /// How long after it was given back, though its owner was not told so, a lock may still be taken.
    pub given_back: Duration,
    /// The same after an acquire of which nobody was told what came of it.
    pub unanswered: Duration,
    /// What a waiter may need for a look, and a machine of two busy cores for all the rest.
    pub look: Duration,
    /// How long a waiter may need if somebody before it, or an earlier call of its own, does not come.
    pub passed_over: Duration,
    /// How soon a process that was cut off has a lock again, once it can.
    pub back: Duration,
    /// Its storm.
    pub storm: StormLimits,
}

/// Of a storm.
#[derive(Clone, Copy, Debug)]
pub struct StormLimits {
    /// The ttl in it.
    pub ttl: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// How long after it everybody has to have had the lock.
    pub calm: Duration,
    /// How many connections four processes of two workers each, and a few of the test's, may have.
    pub connections: u64,
}

/// While somebody's transaction keeps the row of a lock.
#[derive(Clone, Copy, Debug)]
pub struct RowLimits {
    /// A ttl for half of which the row of a holder may be kept.
    pub ttl: Duration,
    /// After what time who does not wait is refused.
    pub refused: Duration,
    /// After what time who waits for half a second gives up.
    pub given_up: Duration,
    /// How long it is kept from one who waits for longer.
    pub kept: Duration,
    /// How soon after the end of the transaction such a one has the lock.
    pub had: Duration,
}
