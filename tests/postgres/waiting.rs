//! Who waits gets his turn, whatever becomes of those before him in line.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use lock_core::conformance::{Peer, pulse};
use tests::report;

use crate::scene::{
    FREED, LONG, LOOK, SIDES, Scene, WINDOW, acquire, eventually, kill, ms, release, running_since, side,
    stop,
};

const TIMES: u32 = 40;

/// A holder, so many processes in line after it, and one more waiter, who is to have the lock soon after `befall` has
/// happened to those before him and the holder has released it. Returns how long that took him, each time, in order.
fn stalls(times: u32, ttl: Duration, before: u64, befall: impl Fn(&Scene, &mut Vec<Peer>)) -> Vec<Duration> {
    let scene = Scene::new(ttl);
    let (holder, waiting) = (scene.far(), scene.far());
    let mut stalls: Vec<Duration> = (0..times)
        .map(|round| {
            let key = format!("k{round}");
            let guard = acquire(&holder.lock(&key), side(round)).unwrap();
            let mut victims = Vec::new();
            for place in 1..=before {
                let mut victim = scene.peer(side(round));
                victim.tell(&["acquire", "g", &key]);
                scene.wait_in_line(&key, place);
                victims.push(victim);
            }
            let lock = waiting.lock(&key).wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || {
                    let guard = acquire(&lock, side(round + 1)).unwrap();
                    (Instant::now(), guard)
                });
                scene.wait_in_line(&key, before + 1);
                befall(&scene, &mut victims);
                let begin = Instant::now();
                release(&guard, side(round)).unwrap();
                let (had, successor) = waiter.join().unwrap();
                let stall = (had - begin).saturating_sub(pulse::stalled_since(begin));
                assert!(successor.fencing_token() > guard.fencing_token() && successor.is_held());
                release(&successor, side(round)).unwrap();
                stall
            })
        })
        .collect();
    stalls.sort();
    stalls
}

/// Waits until the server has answered what it was asked: also what one has sent who has been stopped since.
fn answers_all(scene: &Scene) {
    let here = format!(":{:04X}", scene.server.port());
    let is_read = || {
        let connections = fs::read_to_string("/proc/net/tcp").unwrap();
        let mut fields = connections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        // Its number, its ends, its state, and what is to be sent and to be read.
        fields.all(|field| !field[1].ends_with(&here) || field[4].ends_with(":00000000"))
    };
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()";
    assert!(eventually(LONG, || is_read() && scene.number(asked) == 0));
}

fn show(what: &str, stalls: &[Duration]) -> (Duration, Duration) {
    let (median, worst) = (stalls[stalls.len() / 2], stalls[stalls.len() - 1]);
    report(&format!(
        "postgres: {} {what}, every run goes on: stall {median:?} median, {worst:?} worst",
        stalls.len()
    ));
    (median, worst)
}

#[test]
fn a_waiter_is_woken_by_the_release() {
    let stalls = stalls(TIMES, LONG, 0, |_, _| ());
    let (median, worst) = show("waiters woken", &stalls);
    // Well below the interval of retries, which is 20 ms, and the time for which a key is kept.
    assert!(median <= ms(15), "{median:?}");
    assert!(worst <= LOOK, "{worst:?}");
}

#[test]
fn a_killed_waiter_at_the_head_of_the_line_stalls_for_a_moment_only() {
    let stalls = stalls(TIMES, LONG, 1, |_, victims| kill(&mut victims[0]));
    let (median, worst) = show("waiters killed at the head", &stalls);
    assert!(median <= WINDOW + ms(50), "{median:?}");
    assert!(worst <= WINDOW + LOOK, "{worst:?}");
}

#[test]
fn a_waiter_that_is_killed_as_the_lock_comes_to_him_leaves_it_when_its_time_is_over() {
    let ttl = ms(900);
    let stalls = stalls(TIMES, ttl, 1, |_, victims| {
        // Not waited for: it may be dead, dying, or still have had the lock.
        victims[0].kill();
    });
    let (_, worst) = show("waiters killed as the lock came to them", &stalls);
    assert!(worst <= ttl + FREED, "{worst:?}");
}

#[test]
fn several_killed_waiters_at_the_head_stall_for_a_moment_together() {
    let stalls = stalls(10, LONG, 3, |_, victims| victims.iter_mut().for_each(kill));
    let (median, worst) = show("times three waiters killed at the head", &stalls);
    assert!(median <= WINDOW + ms(50), "{median:?}");
    assert!(worst <= WINDOW + LOOK, "{worst:?}");
}

#[test]
fn a_stopped_waiter_at_the_head_of_the_line_stalls_for_a_moment_only() {
    let stalls = stalls(20, LONG, 1, |scene, victims| {
        stop(&victims[0]);
        answers_all(scene);
    });
    let (_, worst) = show("waiters stopped at the head", &stalls);
    assert!(worst <= WINDOW + LOOK, "{worst:?}");
}

#[test]
fn a_stopped_waiter_has_its_turn_when_it_goes_on() {
    let scene = Scene::new(LONG);
    let lock = scene.far().lock("k");
    for side in SIDES {
        let guard = acquire(&lock, side).unwrap();
        let mut victim = scene.peer(side);
        victim.tell(&["acquire", "g", "k"]);
        scene.wait_in_line("k", 1);
        stop(&victim);
        release(&guard, side).unwrap();
        let successor = acquire(&lock.clone().wait(LONG), side).unwrap();
        victim.go_on();
        // It looks, is told that it was passed over, and stands in line again.
        scene.wait_in_line("k", 1);
        assert!(successor.is_held());
        assert_eq!(scene.owner("k"), Some(successor.owner().to_string()));
        let begin = Instant::now();
        release(&successor, side).unwrap();
        let answer = smol::block_on(victim.answer());
        assert!(running_since(begin) <= LOOK, "{:?}", begin.elapsed());
        assert_eq!(answer[0], "granted");
        assert!(answer[1].parse::<u64>().unwrap() > successor.fencing_token(), "{answer:?}");
        assert_eq!(smol::block_on(victim.ask(&["release", "g"])), ["released"]);
    }
}

#[test]
fn a_waiter_that_gives_up_leaves_the_line_and_stalls_nobody() {
    let scene = Scene::new(LONG);
    let (holder, leaving, waiting) = (scene.far(), scene.far(), scene.far());
    let mut stalls = Vec::new();
    for round in 0..TIMES {
        let guard = holder.lock("k").acquire().unwrap();
        let (left, lock) = (leaving.lock("k"), waiting.lock("k").wait(LONG));
        thread::scope(|scope| {
            let mut giving_up = Box::pin(left.acquire_async());
            scene.poll_into_line(&mut giving_up, "k");
            let waiter = scope.spawn(move || {
                let guard = acquire(&lock, side(round)).unwrap();
                (Instant::now(), guard)
            });
            scene.wait_in_line("k", 2);
            drop(giving_up);
            if round.is_multiple_of(2) {
                scene.wait_in_line("k", 1);
            }
            let begin = Instant::now();
            guard.release().unwrap();
            let (had, successor) = waiter.join().unwrap();
            stalls.push((had - begin).saturating_sub(pulse::stalled_since(begin)));
            successor.release().unwrap();
        });
        assert!(eventually(LONG, || scene.in_line("k") == 0));
    }
    stalls.sort();
    let (median, worst) = show("waiters cancelled at the head", &stalls);
    assert!(median <= ms(20) && worst <= LOOK, "{stalls:?}");
}

#[test]
fn a_waiter_whose_wait_is_over_leaves_the_line() {
    let scene = Scene::new(LONG);
    let held = scene.far().lock("k").acquire().unwrap();
    for side in SIDES {
        let waiting = scene.far();
        let begin = Instant::now();
        let error = acquire(&waiting.lock("k").wait(ms(50)), side).unwrap_err();
        // Where the machine stood still for long, nobody may have told him why he has to wait.
        let stalled = pulse::stalled_since(begin);
        assert!(
            error.is_locked() || error.is_retryable() && stalled >= ms(500),
            "{error:?} after {:?}, {stalled:?} of which the machine stood still",
            begin.elapsed()
        );
        assert!(eventually(LONG, || scene.in_line("k") == 0));
    }
    held.release().unwrap();
}

#[test]
fn a_waiter_whose_connections_are_ended_stands_in_line_and_is_told_again() {
    let scene = Scene::new(LONG);
    let (holder, waiting) = (scene.far(), scene.near());
    let mut stalls = Vec::new();
    for round in 0..TIMES {
        let guard = holder.lock("k").acquire().unwrap();
        let lock = waiting.lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let guard = acquire(&lock, side(round)).unwrap();
                (Instant::now(), guard)
            });
            scene.wait_in_line("k", 1);
            if round.is_multiple_of(3) {
                scene.proxy.reset_all();
            } else {
                scene.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lock'");
            }
            if round.is_multiple_of(2) {
                thread::sleep(ms(30));
            }
            let begin = Instant::now();
            while let Err(error) = release(&guard, side(round + 1)) {
                assert!(error.is_retryable(), "{error:?}");
            }
            let (had, successor) = waiter.join().unwrap();
            stalls.push((had - begin).saturating_sub(pulse::stalled_since(begin)));
            while let Err(error) = successor.release() {
                assert!(error.is_retryable(), "{error:?}");
            }
        });
    }
    stalls.sort();
    let (_, worst) = show("waiters cut off", &stalls);
    assert!(worst <= WINDOW + LOOK, "{stalls:?}");
    assert!(eventually(LONG, || scene.in_line("k") == 0));
}

#[test]
fn a_killed_holder_is_followed_when_its_time_is_over() {
    let ttl = ms(600);
    let scene = Scene::new(ttl);
    let locker = scene.far();
    let worst = (0..TIMES).map(|round| {
        let lock = locker.lock("k").wait(LONG);
        let mut victim = scene.peer(side(round));
        let token = smol::block_on(victim.hold("g", "k", &[]));
        thread::scope(|scope| {
            let waiter = scope.spawn(move || {
                let guard = acquire(&lock, side(round)).unwrap();
                (Instant::now(), guard)
            });
            scene.wait_in_line("k", 1);
            let begin = Instant::now();
            victim.kill();
            let (had, guard) = waiter.join().unwrap();
            assert!(guard.fencing_token() > token);
            (had - begin).saturating_sub(pulse::stalled_since(begin))
        })
    });
    let worst = worst.max().unwrap();
    report(&format!("postgres: {TIMES} holders killed, ttl {ttl:?}, worst re-acquire {worst:?}"));
    assert!(worst <= ttl + FREED, "{worst:?}");
}
