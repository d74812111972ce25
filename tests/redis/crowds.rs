//! Callers of one process who come together: what they ask is sent in one request, and each is answered as if alone.

use std::{sync::Arc, time::Instant};

use lock::{Error, Locker, Settings};
use lock_core::{
    Backend, Key, Owner, Ttl,
    backend::{Attempt, Request},
    backends::Redis,
    conformance::Side,
};
use tests::servers::RedisServer;

use crate::{
    access::{documented, let_in},
    scene::{LONG, Scene, acquire, client},
};

/// As many as come at once.
const MANY: usize = 64;

/// Clients of one server: on the shared connection, and on that of the caller's runtime.
fn both<'a>(server: &'a RedisServer, url: &str, settings: &Settings) -> [Client<'a>; 2] {
    ["", "?on_runtime=yes"].map(|way| {
        let locker = client(&format!("{url}{way}"), settings);
        Client { server, locker, on_runtime: !way.is_empty() }
    })
}

struct Client<'a> {
    server: &'a RedisServer,
    locker: Locker,
    on_runtime: bool,
}

impl Client<'_> {
    /// Has the connections made that a crowd on this runtime will use.
    async fn warm(&self) {
        let connections = || self.server.number("clients", "connected_clients");
        self.locker.ping_async().await.unwrap();
        let (before, begin) = (connections(), Instant::now());
        loop {
            let guard = self.locker.lock("warm").acquire_async().await.unwrap();
            guard.release_async().await.unwrap();
            if !self.on_runtime || connections() > before {
                return;
            }
            assert!(begin.elapsed() < LONG, "no connection on the runtime");
        }
    }
}

/// What becomes of locks of `key` and a number, all acquired at the same time.
fn together(client: &Client<'_>, key: &str) -> Vec<Result<(), Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        client.warm().await;
        let start = Arc::new(tokio::sync::Barrier::new(MANY));
        let caller = |number: usize| {
            let (lock, start) = (client.locker.lock(format!("{key}{number}")).wait(LONG), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let guard = lock.acquire_async().await;
                start.wait().await;
                let guard = guard?;
                assert!(guard.is_held() && guard.fencing_token() > 0);
                guard.release_async().await
            })
        };
        let callers: Vec<_> = (0..MANY).map(caller).collect();
        let mut ends = Vec::new();
        for caller in callers {
            ends.push(caller.await.unwrap());
        }
        ends
    })
}

fn all_had_it(ends: &[Result<(), Error>]) {
    let failed: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn what_comes_together_is_few_requests() {
    let scene = Scene::new(LONG);
    for client in both(&scene.server, &scene.server.url(), &scene.settings) {
        scene.server.forget_calls();
        all_had_it(&together(&client, "k"));
        let requests = scene.server.command_calls("evalsha");
        // How many come together is a matter of how quick the server is, but for those who are all on one thread.
        let most = if client.on_runtime { MANY / 2 } else { 2 * MANY - 1 };
        assert!(requests <= most as u64, "{requests} requests for {MANY} acquires and {MANY} releases");
        assert_eq!(scene.server.ask(&["EXISTS", "lock:k0", "lock:k63"]).int(), 0);
    }
}

#[test]
fn every_request_of_a_crowd_is_answered_whoever_sends_it() {
    const ROUNDS: usize = 200;
    let scene = Scene::new(LONG);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for way in ["", "?on_runtime=yes"] {
        // A clone is the same client, which is connected by this.
        let backend = Redis::open(&(scene.server.url() + way)).unwrap();
        let locker = Locker::with_backend(backend.clone());
        runtime.block_on(Client { server: &scene.server, locker, on_runtime: !way.is_empty() }.warm());
        let backend = Arc::new(backend);
        let caller = |number: usize| {
            let (backend, key) = (Arc::clone(&backend), Key::from(format!("lock:k{number}")));
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    let request = Request::exclusive(key.clone(), Owner::random().unwrap(), Ttl::DEFAULT);
                    let asked = backend.try_acquire_here(&request).expect("a connection").answer.await;
                    let Ok(Attempt::Granted(lease)) = asked else { panic!("{asked:?}") };
                    assert!(backend.release_here(&lease).expect("a connection").answer.await.unwrap());
                }
            })
        };
        runtime.block_on(async {
            let callers: Vec<_> = (0..MANY).map(caller).collect();
            for caller in callers {
                caller.await.unwrap();
            }
        });
    }
}

#[test]
fn one_whose_lock_is_held_waits_and_keeps_nobody_waiting() {
    let scene = Scene::new(LONG);
    let locker = scene.far();
    locker.ping().unwrap();
    let held = scene.far().lock("k7").acquire().unwrap();
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let others: Vec<_> = (0..MANY).map(|number| locker.lock(format!("k{number}")).wait(LONG)).collect();
        let ends = scope.spawn(move || {
            runtime.block_on(async {
                let had = |lock: lock::Lock| tokio::spawn(async move { lock.acquire_async().await });
                let callers: Vec<_> = others.into_iter().map(had).collect();
                let mut guards = Vec::new();
                for caller in callers {
                    guards.push(caller.await.unwrap().unwrap());
                }
                guards.len()
            })
        });
        scene.wait_in_line("k7", 1);
        held.release().unwrap();
        assert_eq!(ends.join().unwrap(), MANY);
    });
}

#[test]
fn what_is_wrong_with_one_lock_is_nobody_elses_answer() {
    let scene = Scene::new(LONG);
    scene.server.ask(&["LPUSH", "lock:k9\u{1f}holder", "no record"]);
    for client in both(&scene.server, &scene.server.url(), &scene.settings) {
        let ends = together(&client, "k");
        for (number, end) in ends.iter().enumerate() {
            match end {
                Err(Error::Backend { .. }) if number == 9 => {}
                end => assert!(end.is_ok() && number != 9, "{number}: {end:?}"),
            }
        }
    }
}

#[test]
fn who_may_not_read_many_at_once_asks_one_by_one() {
    let server = RedisServer::start();
    let scene = Scene::new(LONG);
    let mut permissions = documented();
    permissions.retain(|permission| permission != "+mget" && permission != "+exists");
    for client in both(&server, &let_in(&server, "old", &permissions), &scene.settings) {
        (0..3).for_each(|_| all_had_it(&together(&client, "k")));
        acquire(&client.locker.lock("k0"), Side::Async).unwrap().release().unwrap();
    }
}
