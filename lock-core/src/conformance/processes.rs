//! Several processes, and what happens to the locks of one that ends or is stopped.

use std::time::{Duration, Instant};

use super::{
    Case, case, pulse,
    test::{RETRY, Test},
};
use crate::backend::Capabilities;

pub(super) const CASES: &[Case] = &[
    case!("another process is refused", across_processes, another_process_is_refused, processes),
    case!("a waiter is woken by a release in another process", across_processes, woken_by_another, processes),
    case!("a waiter in another process is woken by a release", across_processes, another_is_woken, processes),
    case!(
        "a killed holder's lock is free in time, and a waiter has it",
        across_processes,
        a_killed_holder,
        processes
    ),
    case!("tokens increase over a kill", across_processes, tokens_over_a_kill, processes),
    case!(
        "a stopped holder that is bound to its lock is never overtaken",
        bound_across_processes,
        stopped_and_bound,
        processes
    ),
    case!(
        "a stopped holder whose lease ended knows it at its first instruction",
        across_processes,
        stopped_and_overtaken,
        processes
    ),
    case!(
        "a guard dropped just before the process ends is released",
        across_processes,
        dropped_at_the_end,
        processes
    ),
    case!(
        "a process that ends without dropping its guard frees it in time",
        across_processes,
        never_dropped,
        processes
    ),
    case!(
        "a lease is handed over to another process",
        hand_over_across_processes,
        handed_to_another,
        processes
    ),
    case!(
        "ten thousand keys take a constant number of threads",
        across_processes,
        ten_thousand_keys,
        processes
    ),
];

/// How long a dead holder's lock may stay taken.
fn outlives(can: &Capabilities, ttl: Duration) -> Duration {
    let told = Duration::from_millis(250);
    if can.bound_to_process { told } else { ttl + can.ttl_grain + told }
}

async fn another_process_is_refused(test: Test) {
    let mut peer = test.peer();
    let lock = test.client().lock("k");
    let token = peer.hold("g", "k", &[]).await;
    assert!(test.try_acquire(&lock).await.unwrap().is_none());
    let holder = test.holder(&lock).await.unwrap().expect("held");
    assert_eq!(holder.fencing_token, Some(token));
    assert!(holder.pid.is_none_or(|pid| pid == peer.id()));
    assert_eq!(peer.ask(&["release", "g"]).await, ["released"]);
    let guard = test.acquire(&lock).await.unwrap();
    assert!(guard.fencing_token() > token);
    assert_eq!(peer.ask(&["acquire", "g", "k", "blocking=no"]).await, ["locked"]);
    assert_eq!(peer.ask(&["acquire", "g", "k", "wait=100"]).await, ["timeout"]);
    peer.hold("g", "other", &[]).await;
    test.release(&guard).await.unwrap();
}

/// Short where releases are announced to `retry`, long where one has to look.
fn patient_retry(test: &Test) -> Duration {
    if test.subject().capabilities.notifies { Duration::from_secs(10) } else { RETRY }
}

fn far_below(retry: Duration) -> Duration {
    (retry / 20).max(Duration::from_millis(200))
}

async fn woken_by_another(test: Test) {
    let mut peer = test.peer();
    let retry = patient_retry(&test);
    let mut times = Vec::new();
    for _ in 0..5 {
        peer.hold("g", "k", &[]).await;
        let waiting = test.have_and_release(test.client().lock("k").retry(retry));
        test.sleep(Duration::from_millis(60)).await;
        let begin = Instant::now();
        peer.ask(&["release", "g"]).await;
        times.push(waiting.await.saturating_duration_since(begin));
    }
    times.sort();
    assert!(times[2] < far_below(retry), "{times:?}");
}

async fn another_is_woken(test: Test) {
    let mut peer = test.peer();
    let lock = test.client().lock("k");
    let retry = patient_retry(&test);
    let option = format!("retry={}", retry.as_millis());
    let mut times = Vec::new();
    for _ in 0..5 {
        let guard = test.acquire(&lock).await.unwrap();
        peer.tell(&["acquire", "g", "k", &option]);
        test.sleep(Duration::from_millis(60)).await;
        let begin = Instant::now();
        test.release(&guard).await.unwrap();
        assert_eq!(peer.answer().await[0], "granted");
        times.push(begin.elapsed());
        peer.ask(&["release", "g"]).await;
    }
    times.sort();
    assert!(times[2] < far_below(retry), "{times:?}");
}

async fn a_killed_holder(test: Test) {
    let lock = test.client().lock("k").ttl(test.ttl());
    let option = format!("ttl={}", test.ttl().as_millis());
    for _ in 0..5 {
        let mut peer = test.peer();
        peer.hold("g", "k", &[&option]).await;
        let waiting = test.have_and_release(lock.clone());
        test.sleep(RETRY).await;
        peer.kill();
        // A process that is killed takes a while to be dead on a busy machine.
        peer.end();
        let begin = Instant::now();
        let took = waiting.await.saturating_duration_since(begin).saturating_sub(pulse::stalled_since(begin));
        let limit = outlives(&test.subject().capabilities, test.ttl());
        assert!(took <= limit, "free after {took:?}");
    }
}

async fn tokens_over_a_kill(test: Test) {
    let lock = test.client().lock("k");
    let option = format!("ttl={}", test.ttl().as_millis());
    let mut last = 0;
    for _ in 0..3 {
        let mut peer = test.peer();
        let theirs = peer.hold("g", "k", &[&option]).await;
        assert!(theirs > last);
        peer.kill();
        let guard = test.acquire(&lock).await.unwrap();
        assert!(guard.fencing_token() > theirs);
        last = guard.fencing_token();
        test.release(&guard).await.unwrap();
    }
}

async fn stopped_and_bound(test: Test) {
    let mut peer = test.peer();
    let lock = test.client().lock("k");
    let option = format!("ttl={}", test.ttl().as_millis());
    peer.hold("g", "k", &[&option]).await;
    peer.stop();
    let error = test.acquire(&lock.clone().wait(test.ttl() * 2)).await.unwrap_err();
    assert!(error.is_locked(), "{error}");
    peer.go_on();
    assert_eq!(peer.ask(&["held", "g"]).await, ["true"]);
    assert_eq!(peer.ask(&["release", "g"]).await, ["released"]);
    test.expect_free(&lock).await;
}

async fn stopped_and_overtaken(test: Test) {
    let mut peer = test.peer();
    let ttl = test.ttl();
    let option = format!("ttl={}", ttl.as_millis());
    let bound = test.subject().capabilities.bound_to_process;
    // Where the kernel keeps the lock of one who is stopped, it ends when he goes on, and only if it is not renewed.
    let options = [option.as_str(), "renew=no"];
    let token = peer.hold("g", "k", if bound { &options } else { &options[..1] }).await;
    peer.ask(&["watch", "g", &ttl.as_millis().to_string()]).await;
    peer.stop();
    let lock = test.client().lock("k");
    let begin = Instant::now();
    let mut successor = None;
    if bound {
        test.sleep(ttl * 2).await;
        assert!(test.try_acquire(&lock).await.unwrap().is_none(), "overtaken while stopped");
    } else {
        successor = Some(test.acquire(&lock).await.unwrap());
        test.sleep((ttl * 2).saturating_sub(begin.elapsed())).await;
    }
    peer.go_on();
    let answer = peer.answer().await;
    let [held, lost, told, released] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((held.as_str(), lost.as_str(), released.as_str()), ("false", "true", "lost"), "{answer:?}");
    let stalled = pulse::stalled_since(begin).as_millis();
    assert!(told.parse::<u128>().unwrap() <= 50 + stalled, "told after {told} ms");
    let successor = match successor {
        Some(successor) => successor,
        None => test.acquire(&lock).await.unwrap(),
    };
    assert!(successor.is_held() && successor.fencing_token() > token);
    peer.ask(&["drop", "g"]).await;
    let holder = test.holder(&lock).await.unwrap().expect("held");
    assert_eq!(holder.owner, successor.owner());
    test.release(&successor).await.unwrap();
}

async fn dropped_at_the_end(test: Test) {
    let lock = test.client().lock("k");
    for how in ["leave", "exit"] {
        let mut peer = test.peer();
        peer.hold("g", "k", &[]).await;
        peer.tell(&[how, "g"]);
        assert!(peer.end().success());
        // Its ttl is longer than the test waits: it was released, or it would not be free.
        test.expect_free(&lock).await;
    }
}

async fn never_dropped(test: Test) {
    let lock = test.client().lock("k");
    let option = format!("ttl={}", test.ttl().as_millis());
    let mut peer = test.peer();
    peer.hold("g", "k", &[&option]).await;
    peer.tell(&["abandon", "g"]);
    assert!(peer.end().success());
    let begin = Instant::now();
    let guard = test.acquire(&lock).await.unwrap();
    let took = pulse::running_since(begin);
    assert!(took <= outlives(&test.subject().capabilities, test.ttl()), "free after {took:?}");
    test.release(&guard).await.unwrap();
}

async fn handed_to_another(test: Test) {
    let mut peer = test.peer();
    let lock = test.client().lock("k");
    let guard = test.acquire(&lock).await.unwrap();
    let token = guard.fencing_token();
    let owner = guard.into_owner().to_string();
    let answer = peer.ask(&["adopt", "g", "k", &owner]).await;
    assert_eq!((answer[0].as_str(), answer[2].as_str()), ("granted", owner.as_str()), "{answer:?}");
    assert!(answer[1].parse::<u64>().unwrap() >= token);
    assert!(test.try_acquire(&lock).await.unwrap().is_none());
    // And back again.
    let owner = peer.ask(&["owner", "g"]).await.remove(0);
    let guard = test.adopt(&lock, owner.parse().unwrap()).await.unwrap();
    assert_eq!(peer.ask(&["acquire", "g", "k", "blocking=no"]).await, ["locked"]);
    test.release(&guard).await.unwrap();
    peer.hold("g", "k", &[]).await;
}

async fn ten_thousand_keys(test: Test) {
    let mut peer = test.peer();
    let answer = peer.ask(&["many", "10000"]).await;
    let numbers: Vec<usize> = answer.iter().map(|number| number.parse().unwrap_or(0)).collect();
    let [before, after, held] = numbers[..] else { panic!("{answer:?}") };
    assert_eq!(held, 500);
    assert!(after <= before + 1, "{before} threads became {after}");
}
