//! A lease on a server: what the scripts of `lock-core/src/backends/redis` and the engine in front of them do together.
//!
//! *Covered*: two or three clients that ask, ask again under the same owner, stand in line, claim what was passed on to
//! them, ask for the last time, give up, hold, renew, extend, hand over inside the process, give away and adopt,
//! release, lose, die, and pause, which is to take no step while time goes on. Every request, answer and push may come
//! late, in any order, or never, also after its client has gone on. The server's locks run out; it starts anew with
//! nothing, or with an old state of everything, and its clock goes on. A lock may be passed on to one who does not hear
//! of it. What is promised stands in [`promises`], in words with each; that something else is not is part of that: a
//! server that has forgotten a lease cannot keep its holder from believing in it until its deadline, only the tokens
//! tell then.
//!
//! *Bounds*: those of each [`scene`], and ticks: a lease lasts 3, an extended one 5, the margin is 1, a claim has 1. Two
//! messages are under way before another request is sent, a block has two tokens, the server fails once, one client
//! dies. Clients are alike, so they begin in their order.
//!
//! *Not covered*: clocks of different speed, which the margin is for, and a server's clock that is set back; several
//! keys; a record that is lost while its lock is not; force-release, foreign clients, owners that are used twice; the
//! hint "soon", which only brings a timer forward; the releases that follow a doubtful acquire, each of which is what a
//! late release is; more than one server. Waiting for the turn of this process comes before all of this, and is checked
//! in `lock-core/src/queue/schedules.rs`.

mod acts;
mod client;
mod mistakes;
mod promises;
mod scene;
mod server;
mod steps;
mod tests;
mod words;
mod world;
