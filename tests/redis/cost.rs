//! What locks cost the server, by its own count.

use std::{
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock};
use lock_core::conformance::Side;
use tests::{report, servers::RedisServer};

use crate::scene::{LONG, SIDES, Scene, acquire, ms, ratio, release, running_since};

/// Reads that have nothing to do with locks: heartbeats, and our own looks at the server, of two reads each.
const OTHER: u64 = 20;

/// What the server was asked since its count began: scripts run, and reads from its connections.
fn asked(server: &RedisServer) -> (u64, u64) {
    let others = ["eval", "script|load", "subscribe", "set|px"];
    assert_eq!(others.map(|command| server.command_calls(command)), [0; 4], "{others:?}");
    (server.command_calls("evalsha"), server.number("stats", "total_reads_processed"))
}

#[test]
fn an_acquire_is_one_request_and_a_release_is_one() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let lock = scene.far().lock("k");
        let pair = || release(&acquire(&lock, side).unwrap(), side).unwrap();
        (0..3).for_each(|_| pair());
        scene.server.forget_calls();
        (0..100).for_each(|_| pair());
        let (scripts, reads) = asked(&scene.server);
        assert_eq!(scripts, 200, "{side:?}");
        assert!(reads <= 200 + OTHER, "{side:?}: {reads} reads");
    }
}

#[test]
fn a_refused_attempt_is_one_request() {
    for side in SIDES {
        let scene = Scene::new(LONG);
        let _held = scene.far().lock("k").acquire().unwrap();
        let lock = scene.far().lock("k").blocking(false);
        acquire(&lock, side).unwrap_err();
        scene.server.forget_calls();
        (0..100).for_each(|_| assert!(acquire(&lock, side).unwrap_err().is_locked()));
        let (scripts, reads) = asked(&scene.server);
        assert_eq!(scripts, 100, "{side:?}");
        assert!(reads <= 100 + OTHER, "{side:?}: {reads} reads");
    }
}

#[test]
fn dropped_and_acquired_again_takes_two_round_trips() {
    const ROUND_TRIP: Duration = ms(40);
    for side in SIDES {
        let scene = Scene::new(LONG);
        let lock = scene.near().lock("k");
        release(&acquire(&lock, side).unwrap(), side).unwrap();
        scene.proxy.delay(ROUND_TRIP / 2);
        let mut guard = acquire(&lock, side).unwrap();
        for _ in 0..5 {
            let begin = Instant::now();
            drop(guard);
            guard = acquire(&lock, side).unwrap();
            let took = running_since(begin);
            assert!(took < ROUND_TRIP * 5 / 2, "{side:?}: {took:?}");
        }
    }
}

/// Callers who wait in this process for a lock that is held elsewhere, and what that costs the server in a second.
fn waited_for(scene: &Scene, waiters: u32) -> u64 {
    let held = scene.far().lock("k").acquire().unwrap();
    let lock = scene.far().lock("k");
    let mut calls = 0;
    in_tasks(
        waiters,
        &lock,
        |_| {},
        || {
            scene.wait_in_line("k", 1);
            // All are in the queue of this process by now, or will be, which costs nothing.
            thread::sleep(ms(50));
            scene.server.forget_calls();
            thread::sleep(Duration::from_secs(1));
            calls = scene.server.command_calls("evalsha");
            held.release().unwrap();
        },
    );
    calls
}

/// So many tasks of one thread that each hold the lock once; `meanwhile` is called when they have begun.
fn in_tasks(count: u32, lock: &Lock, held: impl Fn(&Guard) + Sync, meanwhile: impl FnOnce()) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let executor = smol::LocalExecutor::new();
            let tasks: Vec<_> = (0..count)
                .map(|_| {
                    executor.spawn(async {
                        let guard = lock.acquire_async().await.unwrap();
                        held(&guard);
                        guard.release_async().await.unwrap();
                    })
                })
                .collect();
            smol::block_on(executor.run(async {
                for task in tasks {
                    task.await;
                }
            }));
        });
        meanwhile();
    });
}

#[test]
fn any_number_of_waiters_in_a_process_costs_what_one_costs() {
    let scene = Scene::new(LONG);
    let (one, many) = (waited_for(&scene, 1), waited_for(&scene, 200));
    report(&format!("redis: a second of waiting costs {one} requests for one waiter, {many} for 200"));
    assert!(many <= one + 1, "{one} for one, {many} for 200");
    assert!(one <= 2, "{one} in a second, though the server tells");
}

#[test]
fn two_hundred_waiters_cost_no_more_per_section_than_sixteen() {
    let scene = Scene::new(LONG);
    let mut per_section = Vec::new();
    for waiters in [16_u32, 200] {
        let lock = scene.far().lock("k");
        let first = lock.acquire().unwrap();
        scene.server.forget_calls();
        let journal = |guard: &Guard| {
            scene.journal.acquired(guard);
            scene.journal.releasing(guard);
        };
        in_tasks(waiters, &lock, journal, || {
            thread::sleep(ms(100));
            first.release().unwrap();
        });
        let calls = scene.server.command_calls("evalsha");
        per_section.push(ratio(calls, u64::from(waiters)));
    }
    report(&format!(
        "redis: {:.2} requests a section for 16 waiters, {:.2} for 200",
        per_section[0], per_section[1]
    ));
    assert!(per_section[0] <= 0.3, "{per_section:?}");
    assert!(per_section[1] <= per_section[0] * 1.1, "{per_section:?}");
    scene.journal.history().assert_right();
}

#[test]
fn ten_thousand_keys_waited_for_take_a_constant_number_of_connections_and_threads() {
    const KEYS: u32 = 10_000;
    let scene = Scene::new(LONG);
    let locker = scene.far();
    let guards: Vec<Guard> =
        (0..KEYS).map(|number| locker.lock(format!("many-{number}")).acquire().unwrap()).collect();
    let clients = || scene.server.number("clients", "connected_clients");
    let before = clients();
    let mut crowd = scene.crowd(Side::Async);
    let threads = |crowd: &mut lock_core::conformance::Peer| -> u32 {
        smol::block_on(crowd.ask(&["threads"]))[0].parse().unwrap()
    };
    let queues = || scene.server.ask(&["DBSIZE"]).int();
    let held = queues();
    crowd.tell(&["wait", "1"]);
    scene.wait_in_line("many-0", 1);
    let (one, few) = (clients() - before, threads(&mut crowd));
    drop(crowd);
    let mut crowd = scene.crowd(Side::Async);
    crowd.tell(&["wait", &KEYS.to_string()]);
    let all_wait = || queues() >= held + i64::from(KEYS);
    assert!(crate::scene::eventually(LONG, all_wait), "{} of {KEYS} wait", queues() - held);
    let (many, threads) = (clients() - before, threads(&mut crowd));
    report(&format!(
        "redis: {KEYS} keys waited for take {many} connections and {threads} threads; one takes {one} and {few}"
    ));
    assert_eq!((many, threads), (one, few));
    drop(guards);
    assert_eq!(smol::block_on(crowd.answer()), ["had"]);
}
