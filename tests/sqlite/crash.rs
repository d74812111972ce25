//! Processes that are killed in the middle of a write.

use std::{thread, time::Duration};

use lock_core::conformance::Peer;
use tests::{history::now, report};

use crate::scene::{LONG, Scene, ms, side};

#[test]
fn processes_killed_while_they_write_leave_a_file_that_is_whole_and_no_key_held_twice() {
    const KILLS: u32 = 60;
    let scene = Scene::new(ms(300));
    let history = scene.journal.path().to_str().unwrap().to_owned();
    let start = |round: u32| {
        let mut crowd: Peer = scene.crowd(side(round));
        // Without a thought in between: most of the time, it writes.
        crowd.tell(&["work", "k", &history, "4", "0"]);
        crowd
    };
    let mut crowds: Vec<Peer> = (0..3).map(start).collect();
    for round in 0..KILLS {
        // At another moment of its work each time.
        thread::sleep(ms(20) + Duration::from_micros(u64::from(round) * 777 % 5000));
        let crowd = &mut crowds[round as usize % 3];
        let at = crowd.kill();
        scene.journal.killed(crowd.id(), at);
        crowd.end();
        *crowd = start(round);
    }
    let before = scene.journal.history().holds.len();
    let guard = scene.client().lock("k").wait(LONG).acquire().unwrap();
    scene.journal.acquired(&guard);
    scene.journal.releasing(&guard);
    guard.release().unwrap();
    for crowd in &mut crowds {
        let at = crowd.kill();
        scene.journal.killed(crowd.id(), at);
        crowd.end();
    }
    assert_eq!(scene.ask("PRAGMA integrity_check"), "ok");
    let history = scene.journal.history();
    report(&format!(
        "sqlite: {KILLS} processes killed while they wrote, {} holds, {} double holds, the file is whole",
        history.holds.len(),
        history.double_holds()
    ));
    assert!(before > KILLS as usize, "hardly anybody had it: {before}");
    history.assert_right();
    assert!(history.next_after(0).is_some() && now() > 0);
}
