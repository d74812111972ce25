//! A server that forgets its scripts, or is kept from answering by somebody else's.

use std::{
    thread,
    time::{Duration, Instant},
};

use tests::servers::RedisServer;

use crate::scene::{FREED, LONG, SIDES, Scene, acquire, lost_within, ms, release, running_since};

#[test]
fn a_server_that_forgot_the_scripts_is_told_them_again() {
    for side in SIDES {
        let scene = Scene::new(ms(600));
        let (locker, other) = (scene.far(), scene.far());
        let flush = || scene.server.ask(&["SCRIPT", "FLUSH"]);
        for _ in 0..10 {
            flush();
            let guard = acquire(&locker.lock("k"), side).unwrap();
            flush();
            let waiting = other.lock("k").wait(LONG);
            thread::scope(|scope| {
                let waiter = scope.spawn(move || acquire(&waiting, side).unwrap().release().unwrap());
                scene.wait_in_line("k", 1);
                flush();
                guard.extend(ms(700)).unwrap();
                flush();
                release(&guard, side).unwrap();
                waiter.join().unwrap();
            });
            flush();
            assert_eq!(locker.held().unwrap(), []);
        }
        // A renewal by itself.
        let guard = acquire(&locker.lock("k"), side).unwrap();
        flush();
        assert_eq!(lost_within(&guard, ms(900)), None);
        release(&guard, side).unwrap();
    }
}

/// A script that keeps the server from answering until it is killed.
fn occupy(server: &RedisServer) -> thread::JoinHandle<()> {
    let mut connection = server.connect().unwrap();
    let busy = thread::spawn(move || {
        let error = connection.ask(&["EVAL", "while true do end", "0"]).unwrap_err();
        assert!(error.to_string().contains("SCRIPT KILL"), "{error}");
    });
    let mut looking = server.connect().unwrap();
    while !looking.ask(&["PING"]).is_err_and(|error| error.to_string().starts_with("BUSY")) {}
    busy
}

#[test]
fn a_busy_server_grants_nothing_and_takes_nothing_away() {
    for side in SIDES {
        let ttl = Duration::from_secs(3);
        let scene = Scene::on(RedisServer::with(&["--lua-time-limit", "20"]), ttl);
        let (locker, begin) = (scene.far(), Instant::now());
        let guard = acquire(&locker.lock("k"), side).unwrap();
        let busy = occupy(&scene.server);
        let error = acquire(&locker.lock("other"), side).unwrap_err();
        assert!(error.to_string().contains("BUSY") && error.is_retryable(), "{error}");
        thread::sleep((ttl * 3 / 4).saturating_sub(begin.elapsed()));
        scene.server.ask(&["SCRIPT", "KILL"]);
        busy.join().unwrap();
        assert_eq!(lost_within(&guard, ttl), None, "lost though the server was back in time");
        release(&guard, side).unwrap();
        let begin = Instant::now();
        acquire(&locker.lock("other").wait(LONG), side).unwrap().release().unwrap();
        assert!(running_since(begin) < FREED, "{:?}", begin.elapsed());
    }
}

#[test]
fn who_waits_goes_on_when_the_server_does() {
    for side in SIDES {
        let scene = Scene::on(RedisServer::with(&["--lua-time-limit", "20"]), LONG);
        let guard = acquire(&scene.far().lock("k"), side).unwrap();
        let waiting = scene.far().lock("k").wait(LONG);
        thread::scope(|scope| {
            let waiter = scope.spawn(move || acquire(&waiting, side).unwrap().release().unwrap());
            scene.wait_in_line("k", 1);
            let busy = occupy(&scene.server);
            thread::sleep(ms(300));
            scene.server.ask(&["SCRIPT", "KILL"]);
            busy.join().unwrap();
            let begin = Instant::now();
            release(&guard, side).unwrap();
            waiter.join().unwrap();
            assert!(running_since(begin) < FREED, "{:?}", begin.elapsed());
        });
    }
}
