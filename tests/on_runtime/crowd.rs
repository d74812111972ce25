//! Many callers of one runtime at once, who may be served together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use lock::{Guard, Locker};
use lock_core::conformance::pulse;
use tests::callers::{LONG, eventually, ms};
use tokio::{runtime::Runtime, task::JoinSet, time::timeout};

use crate::scene::{Scene, driven, on_each, pair, redis};

const MANY: u32 = 48;

/// Longer than what is tried again within one call may take.
const SOON: Duration = ms(15_000);

/// Many who share half as many keys, round after round until they are to stop, some of whom leave their calls in the middle.
/// Nobody is ever inside with another, and nobody's call fails but by `leaves`.
struct Crowd {
    members: JoinSet<u32>,
    is_over: Arc<AtomicBool>,
}

impl Crowd {
    fn of(runtime: &Runtime, locker: &Locker, leaves: bool) -> Self {
        let inside: Arc<Vec<AtomicU32>> = Arc::new((0..MANY).map(|_| AtomicU32::new(0)).collect());
        let (is_over, mut members) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for member in 0..MANY {
            let key = member / 2;
            let (lock, inside) = (locker.lock(format!("k{key}")).wait(LONG), Arc::clone(&inside));
            let is_over = Arc::clone(&is_over);
            let round = async move || -> Option<()> {
                let leaves = leaves && member.is_multiple_of(3);
                let patience = if leaves { ms(u64::from(member) / 3) } else { LONG };
                let guard: Guard = timeout(patience, lock.acquire_async()).await.ok()?.unwrap();
                let inside = &inside[key as usize];
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                timeout(patience, guard.release_async()).await.ok()?.unwrap();
                Some(())
            };
            members.spawn_on(
                async move {
                    let mut had = 0;
                    while !is_over.load(Ordering::SeqCst) {
                        had += u32::from(round().await.is_some());
                    }
                    had
                },
                runtime.handle(),
            );
        }
        Self { members, is_over }
    }

    /// Returns how often each of them had a lock.
    fn end(self, runtime: &Runtime) -> Vec<u32> {
        self.is_over.store(true, Ordering::SeqCst);
        runtime.block_on(self.members.join_all())
    }
}

/// Nothing is held any more, long before a ttl has passed.
fn nothing_is_held(scene: &Scene) {
    let locker = scene.far();
    let is_free = |key: &u32| !locker.lock(format!("k{key}")).is_locked().unwrap();
    let mut held: Vec<u32> = (0..MANY / 2).collect();
    let all_are_free = || {
        held.retain(|key| !is_free(key));
        held.is_empty()
    };
    assert!(eventually(SOON, all_are_free), "{}: {held:?}", scene.name);
}

fn warmed(scene: &Scene) -> (Runtime, Locker) {
    let (runtime, locker) = (driven(), scene.near(LONG));
    scene.warm(&runtime, &locker.lock("k"));
    (runtime, locker)
}

#[test]
fn who_leaves_a_crowd_disturbs_nobody_and_leaves_nothing_held() {
    on_each(|scene| {
        let (runtime, locker) = warmed(scene);
        scene.proxy.delay(ms(3));
        let crowd = Crowd::of(&runtime, &locker, true);
        std::thread::sleep(ms(1500));
        let had = crowd.end(&runtime);
        let others = had.iter().filter(|had| **had > 2).count();
        assert!(others >= MANY as usize / 2, "{}: {had:?}", scene.name);
        nothing_is_held(scene);
    });
}

/// Where many are sent as one request, the others still hear of theirs.
#[test]
fn who_leaves_a_crowd_on_one_connection_costs_the_others_none() {
    pulse::start();
    let scene = redis();
    let (runtime, locker) = warmed(&scene);
    // Longer than an answer is looked for that nobody waits for any more.
    scene.proxy.delay(ms(60));
    let (made, begin) = (scene.proxy.accepted(), Instant::now());
    runtime.block_on(async {
        let mut crowd = JoinSet::new();
        for member in 0..MANY {
            let lock = locker.lock(format!("k{member}"));
            let patience = if member % 2 == 1 { ms(20) } else { LONG };
            crowd
                .spawn(async move { timeout(patience, lock.acquire_async()).await.ok().map(Result::unwrap) });
        }
        let had = crowd.join_all().await;
        assert_eq!(had.iter().flatten().count(), MANY as usize / 2);
        drop(had);
        // Who has none would have made one meanwhile.
        (pair(&locker.lock("k")).await, pair(&locker.lock("k")).await)
    });
    // Who leaves after longer than he meant to is another case.
    let stalled = pulse::stalled_since(begin);
    assert!(scene.proxy.accepted() == made || stalled > ms(200), "{stalled:?}");
    nothing_is_held(&scene);
}

#[test]
fn a_crowd_goes_on_whose_connection_is_cut_or_hears_nothing() {
    on_each(|scene| {
        let (runtime, locker) = warmed(scene);
        let crowd = Crowd::of(&runtime, &locker, false);
        for round in 0..6 {
            std::thread::sleep(ms(100));
            if round % 3 == 2 {
                // Longer than an answer is waited for.
                scene.proxy.black_hole();
                std::thread::sleep(ms(1500));
                scene.proxy.pass();
            } else {
                scene.proxy.reset_all();
            }
        }
        std::thread::sleep(ms(300));
        let had = crowd.end(&runtime);
        assert!(had.iter().all(|had| *had > 0), "{}: {had:?}", scene.name);
        nothing_is_held(scene);
    });
}

#[test]
fn a_crowd_whose_runtime_ends_leaves_nothing_held() {
    on_each(|scene| {
        for _ in 0..3 {
            scene.proxy.delay(Duration::ZERO);
            let (runtime, locker) = warmed(scene);
            scene.proxy.delay(ms(3));
            let crowd = Crowd::of(&runtime, &locker, false);
            std::thread::sleep(ms(100));
            drop(runtime);
            drop(crowd);
            nothing_is_held(scene);
        }
    });
}
