//! Servers that are killed and come back with nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock_core::conformance::Side;

use super::restarts::restarted;
use crate::{
    callers::{SIDES, lost_within, ms, release},
    figures::Figures,
    scene::{Forgets, Scene},
};

/// Nothing can keep a lock that its server forgot; who holds it is told, and who waits goes on.
pub(super) fn a_server_that_forgot_everything_is_a_loss_that_is_told_and_tokens_grow<S: Forgets>() {
    let parts: Vec<_> = thread::scope(|scope| {
        let rounds: Vec<_> = (0..10)
            .map(|round| {
                scope.spawn(move || {
                    let scene = Scene::<S>::new(S::FORGOTTEN);
                    let figures = forgotten(&scene, SIDES[round % 2]);
                    (figures, scene.journal.history().double_holds())
                })
            })
            .collect();
        rounds.into_iter().map(|round| round.join().unwrap()).collect()
    });
    let double = parts.iter().map(|(_, double)| double).sum();
    parts.iter().fold(Figures::default(), |all, (part, _)| all.with(part)).report(
        S::NAME,
        "servers killed and back without their data (the holds until they are told are not promised)",
        double,
    );
}

fn forgotten<S: Forgets>(scene: &Scene<S>, side: Side) -> Figures {
    let mut figures = Figures { faults: 1, ..Figures::default() };
    restarted(scene, side, ms(50), |guard, waiter| {
        let begin = Instant::now();
        let told = lost_within(guard, S::FORGOTTEN).expect("kept though the server forgot it");
        figures.told(Duration::ZERO);
        scene.journal.releasing(guard);
        assert!(told <= S::KNOWS, "told {told:?} after the restart");
        let (had, successor) = waiter.join().unwrap();
        figures.reacquired(had.saturating_duration_since(begin));
        assert!(successor.fencing_token() > guard.fencing_token());
        assert!(release(guard, side).unwrap_err().is_lost());
        thread::sleep(ms(100));
        assert!(successor.is_held(), "a stale release freed its successor");
        assert_eq!(scene.owner("k"), Some(successor.owner().to_string()));
        scene.journal.releasing(&successor);
        release(&successor, side).unwrap();
    });
    figures
}
