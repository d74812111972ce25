//! Processes that come back at once: each has its share, of a key and of the file.

use lock_core::conformance::{Peer, Side};
use tests::{
    journal::Journal,
    shares::{self, Shared},
};

use crate::scene::{LONG, Scene};

impl Shared for Scene {
    const NAME: &'static str = "sqlite";

    fn of_its_own() -> Self {
        Self::new(LONG)
    }

    fn crowd(&self, side: Side) -> Peer {
        Self::crowd(self, side)
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

tests::share_suite!(Scene);

#[test]
fn of_four_greedy_processes_with_a_key_each_nobody_starves() {
    shares::of_four_greedy_processes_with_a_key_each_nobody_starves::<Scene>();
}
