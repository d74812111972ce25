//! A row per key and its line of waiters: what the statements of `lock-core/src/backends/postgres`, `mysql` and `sqlite` and
//! the engine in front of them do together.
//!
//! *Covered*: two or three clients that ask for the key, get in line, look, look again when they are told to or by their
//! own timer, are passed over, hold, renew, release, lose, give up, and die. Every request, answer and announcement may
//! come late, in any order, or never, also after its client has gone on; statements are executed one after the other, as
//! the row's lock makes them. Blocks of tokens that run ahead of the clock; rows that are pruned.
//!
//! *Bounds*: those of each [`Scene`](steps::Scene), and ticks: a lease lasts 3, a free key is kept 1 for the first in
//! line, who waits looks after 3 at the latest. A release names the first two in line. Clients are alike, so they begin
//! in their order.
//!
//! *Not covered*: clocks of different speed and the margin for them; locks in somebody's transaction; adoption and
//! hand-over inside a process, which are as in [`lease_on_a_server`](super::lease_on_a_server); a line that is too long
//! to be added to.

mod steps;
mod table;
mod tests;
mod world;
