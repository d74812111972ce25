//! Locks on memcached: what `lock-core/src/backends/memcached/lease.rs` and the engine in front of it do together.
//!
//! *Covered*: two clients that take the lock, take their token after it, look and keep, look and release, and each of that
//! again on another connection, while what was sent before may still arrive, late or never. The server's clock ticks at
//! any moment of a tick, or stands still for a while, though the server answers; the server starts anew with nothing,
//! with CAS numbers from the beginning; it forgets the last token; it has no room. What is promised stands in
//! [`promises`](world::World): whoever believes excludes the others who do, as long as the server has kept his lock; tokens
//! grow; nobody changes what is somebody else's.
//!
//! *Bounds*: a lease lasts 2 ticks, an item one more, and as many ticks, requests and failures as a [`Scene`](steps::Scene)
//! says. Every client has read the server's clock at the beginning of a tick once: one that has read it late in a tick
//! only can tell so much less exactly when it stands still, by up to a tick.
//!
//! A clock that is behind by more than a tick refuses the exchange here; what the backend adds to a lease instead, where it
//! is a little more, is checked in `lock-core/src/backends/memcached/clock.rs`.
//!
//! *Not covered*: what happens between two commands of one exchange; dates beyond 30 days; the blocks of tokens that are
//! handed over inside a process, which are as with every backend; eviction of a lock, which is a restart for one key; a
//! server's clock that leaves out a second, as its look at it comes later and later.

mod steps;
mod tests;
mod world;
