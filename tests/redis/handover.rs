//! A lease that goes from hand to hand: inside a process, and to another one by its owner.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use lock::{Guard, Lock, Locker};

use crate::scene::{FREED, LONG, SIDES, Scene, acquire, client, eventually, ms, release, running_since};

/// A guard, and one who waits for it in the same process, both of whom the server knew of when it granted.
///
/// Returns the second guard, as it was when the first had been released.
fn handed_on(lock: &Lock, between: impl Fn(&Guard), elsewhere: &Lock) -> (Guard, Guard) {
    let blocker = elsewhere.acquire().unwrap();
    thread::scope(|scope| {
        let (send, first) = std::sync::mpsc::channel();
        let waiter = |number: u32| {
            let send = send.clone();
            move || {
                // In line one after the other.
                thread::sleep(ms(100) * number);
                send.send(lock.acquire().unwrap()).unwrap();
            }
        };
        scope.spawn(waiter(0));
        scope.spawn(waiter(1));
        // The second is in line before the first is granted, so that a token is reserved for it.
        thread::sleep(ms(300));
        blocker.release().unwrap();
        let guard = first.recv().unwrap();
        between(&guard);
        guard.release().unwrap();
        (guard, first.recv().unwrap())
    })
}

#[test]
fn a_lease_handed_over_inside_the_process_costs_the_server_nothing_and_has_a_higher_token() {
    let scene = Scene::new(LONG);
    let (lock, elsewhere) = (scene.far().lock("k"), scene.far().lock("k"));
    let (first, second) = handed_on(&lock, |_| scene.server.forget_calls(), &elsewhere);
    assert_eq!(scene.server.command_calls("evalsha"), 0);
    assert!(!first.is_held() && second.is_held());
    assert_eq!(second.fencing_token(), first.fencing_token() + 1);
    assert!(elsewhere.try_acquire().unwrap().is_none());
    second.release().unwrap();
    let next = elsewhere.acquire().unwrap();
    assert!(next.fencing_token() > second.fencing_token());
}

#[test]
fn an_owner_that_somebody_was_told_is_nobody_elses() {
    let scene = Scene::new(LONG);
    let (lock, elsewhere) = (scene.far().lock("k"), scene.far().lock("k"));
    let owner = std::sync::Mutex::new(None);
    let (_, second) = handed_on(&lock, |guard| *owner.lock().unwrap() = Some(guard.owner()), &elsewhere);
    let owner = owner.lock().unwrap().take().unwrap();
    assert_ne!(second.owner(), owner);
    assert!(elsewhere.adopt(owner).unwrap_err().is_locked());
    assert!(second.is_held());
}

#[test]
fn a_lease_that_was_handed_over_and_given_away_is_adopted_under_no_lower_token() {
    let scene = Scene::new(LONG);
    let (lock, elsewhere) = (scene.far().lock("k"), scene.far().lock("k"));
    let (_, second) = handed_on(&lock, |_| {}, &elsewhere);
    let token = second.fencing_token();
    let heir = elsewhere.adopt(second.into_owner()).unwrap();
    assert!(heir.fencing_token() >= token);
    heir.release().unwrap();
    assert!(elsewhere.acquire().unwrap().fencing_token() > heir.fencing_token());
}

#[test]
fn a_lock_of_another_client_is_adopted_and_goes_on_as_ours() {
    let scene = Scene::new(LONG);
    let lock = scene.far().lock("k");
    scene.server.ask(&["SET", "lock:k", "somebody's token", "PX", "30000"]);
    let heir = lock.adopt("somebody's token".parse().unwrap()).unwrap();
    assert_eq!(lock.holder().unwrap().unwrap().fencing_token, Some(heir.fencing_token()));
    let mut last = heir.fencing_token();
    heir.release().unwrap();
    for side in SIDES {
        let guard = acquire(&lock, side).unwrap();
        assert!(guard.fencing_token() > last);
        last = guard.fencing_token();
        release(&guard, side).unwrap();
    }
}

#[test]
fn a_lease_left_to_a_future_that_nobody_polls_goes_to_who_waits_elsewhere() {
    let scene = Scene::new(LONG);
    let (lock, elsewhere) = (scene.far().lock("k"), scene.far().lock("k"));
    let blocker = elsewhere.acquire().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| lock.acquire().unwrap());
        scene.wait_in_line("k", 1);
        let mut forgotten = pin!(lock.acquire_async());
        assert!(forgotten.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        blocker.release().unwrap();
        let guard = first.join().unwrap();
        let other = scope.spawn(|| elsewhere.acquire().unwrap());
        scene.wait_in_line("k", 1);
        let begin = Instant::now();
        guard.release().unwrap();
        let next = other.join().unwrap();
        assert!(running_since(begin) < ms(100) + FREED, "{:?}", begin.elapsed());
        next.release().unwrap();
        // Polled again, it has the lock after all.
        smol::block_on(forgotten).unwrap().release().unwrap();
    });
}

/// A client whose async callers have a connection on their own runtime.
fn on_runtime(scene: &Scene) -> Locker {
    client(&(scene.server.url() + "?on_runtime=yes"), &scene.settings)
}

#[test]
fn a_call_on_a_runtime_without_input_and_output_needs_none() {
    let scene = Scene::new(LONG);
    let lock = scene.far().lock("k");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..5 {
        runtime.block_on(async { lock.acquire_async().await.unwrap().release_async().await.unwrap() });
    }
}

#[test]
fn a_call_whose_runtime_is_not_driven_goes_on_by_the_background_thread() {
    let scene = Scene::new(LONG);
    let lock = on_runtime(&scene).lock("k");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pair = async |lock: &Lock| lock.acquire_async().await.unwrap().release_async().await.unwrap();
    // Until the runtime has a connection of its own.
    runtime.block_on(async {
        for _ in 0..20 {
            pair(&lock).await;
            tokio::time::sleep(ms(5)).await;
        }
        // Nothing of the runtime moves while this blocks it.
        let begin = Instant::now();
        smol::block_on(pair(&lock));
        assert!(running_since(begin) < Duration::from_secs(4), "{:?}", begin.elapsed());
    });
    assert!(eventually(LONG, || !lock.is_locked().unwrap()));
}

#[test]
fn a_lock_outlives_the_runtime_it_was_acquired_on() {
    let scene = Scene::new(ms(1500));
    let lock = on_runtime(&scene).lock("k");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guard = runtime.block_on(async {
        // Until the runtime has a connection of its own.
        for _ in 0..10 {
            lock.acquire_async().await.unwrap().release_async().await.unwrap();
            tokio::time::sleep(ms(5)).await;
        }
        lock.acquire_async().await.unwrap()
    });
    drop(runtime);
    // Two ttls.
    thread::sleep(ms(3000));
    assert!(guard.is_held());
    smol::block_on(guard.release_async()).unwrap();
    assert!(!lock.is_locked().unwrap());
}
