//! Holders that are killed and stopped, 200 times each, on every backend that other processes share; processes that
//! end just after a guard was dropped, and that fork while they hold one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use lock_core::{
    Settings,
    conformance::{Peer, Side, Subject, pulse},
};
use tests::{
    history::{History, now},
    report,
    scratch::Scratch,
    subjects::{forks, holder_path, subjects},
};

const TIMES: u32 = 200;
/// How long after its holder's death a lock may still be taken, at most and beyond what its ttl allows.
const TOLD: Duration = Duration::from_millis(250);

/// The backends that other processes share; on whose runtime a request is sent makes no difference to who is dead or stopped.
fn shared() -> Vec<Subject> {
    let is_one = |subject: &Subject| subject.command().is_some() && !subject.name.ends_with("-on-runtime");
    subjects().into_iter().filter(is_one).collect()
}

/// Does it for each of them, for two at a time: most of it is waiting.
fn for_each(subjects: Vec<Subject>, job: impl Fn(&Subject) + Sync) {
    const LANES: usize = 2;
    let left = Mutex::new(subjects.into_iter());
    let next = || left.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(subject) = next() {
                    job(&subject);
                }
            });
        }
    });
}

fn settings(prefix: &str, ttl: Duration) -> Settings {
    Settings {
        prefix: Some(prefix.to_owned()),
        ttl: Some(ttl),
        retry: Some(Duration::from_millis(20)),
        release_on_drop: None,
    }
}

fn peer(subject: &Subject, settings: &Settings, side: Side) -> Peer {
    Peer::start(subject.command().unwrap(), settings, side).unwrap()
}

/// For a process that has to connect first, which may take longer on a busy machine than a short lease allows.
const PATIENT: &str = "wait=10000";

/// The two kinds of callers, in turn.
fn side(round: u32) -> Side {
    if round.is_multiple_of(2) { Side::Blocking } else { Side::Async }
}

/// A short ttl that the backend can keep.
fn ttl_of(subject: &Subject) -> Duration {
    subject.capabilities.ttl_min.get().max(Duration::from_millis(200))
}

/// What came of holders of a key that were killed.
struct Killed {
    worst: Duration,
    history: History,
}

/// Kills so many holders of a key, while others want it all the time; what they do to each other is in the history as well.
fn kill_holders(subject: &Subject, key: &str, times: u32) -> Killed {
    let scratch = Scratch::new("kill");
    let path = scratch.path().join("history");
    let settings = settings("kill:", ttl_of(subject));
    // As long as anybody else: a busy machine may not answer a single request in time.
    let lock = subject.open(&settings).unwrap().lock(key).wait(Duration::from_secs(10));
    let mut others = [peer(subject, &settings, Side::Blocking), peer(subject, &settings, Side::Async)];
    let mut history = String::new();
    let (mut kills, mut last) = (Vec::new(), 0);
    for round in 0..times {
        let mut victim = peer(subject, &settings, side(round));
        let token = smol::block_on(victim.hold("g", key, &[PATIENT]));
        let _ = writeln!(history, "A {token} {} {} {}", victim.id(), now(), u64::MAX);
        assert!(token > last);
        if round == 0 {
            let file = path.to_str().unwrap();
            others.iter_mut().for_each(|other| other.tell(&["loop", key, file, "1000000", "300"]));
        }
        if round.is_multiple_of(3) {
            thread::sleep(Duration::from_millis(1));
        }
        let begin = Instant::now();
        let killed = victim.kill();
        let _ = writeln!(history, "K {} {killed}", victim.id());
        let guard = lock.acquire().unwrap();
        let (token, process) = (guard.fencing_token(), std::process::id());
        let _ = writeln!(history, "A {token} {process} {} {}", now(), u64::MAX);
        kills.push((killed, pulse::stalled_since(begin)));
        assert!(token > last);
        last = token;
        let _ = writeln!(history, "R {last} {process} {} 0", now());
        guard.release().unwrap();
    }
    for other in &mut others {
        let killed = other.kill();
        let _ = writeln!(history, "K {} {killed}", other.id());
    }
    history.push_str(&std::fs::read_to_string(&path).unwrap());
    let history = History::parse(&history);
    // Whoever had it next shows that it was free.
    let freed = |(killed, stalled): &(u64, Duration)| {
        Duration::from_nanos(history.next_after(*killed).unwrap()).saturating_sub(*stalled)
    };
    let worst = kills.iter().map(freed).max().unwrap();
    Killed { worst, history }
}

#[test]
fn killed_holders_leave_a_lock_that_is_free_in_time_and_never_held_twice() {
    for_each(shared(), |subject| {
        let ttl = ttl_of(subject);
        let bound = subject.capabilities.bound_to_process;
        let limit = if bound { TOLD } else { ttl + subject.capabilities.ttl_grain + TOLD };
        // Most of the time is waiting: several keys beside each other.
        let keys = if ttl < Duration::from_secs(1) { 2 } else { 8 };
        let killed: Vec<Killed> = thread::scope(|scope| {
            let killing: Vec<_> = (0..keys)
                .map(|key| scope.spawn(move || kill_holders(subject, &format!("k{key}"), TIMES / keys)))
                .collect();
            killing.into_iter().map(|killing| killing.join().unwrap()).collect()
        });
        let worst = killed.iter().map(|killed| killed.worst).max().unwrap();
        let holds: usize = killed.iter().map(|killed| killed.history.holds.len()).sum();
        let double: usize = killed.iter().map(|killed| killed.history.double_holds()).sum();
        report(&format!(
            "{}: {TIMES} holders killed, {holds} holds, {double} double holds, worst re-acquire {worst:?}",
            subject.name
        ));
        assert!(worst <= limit, "free after {worst:?}");
        assert!(holds > TIMES as usize * 2, "the others never had it");
        killed.iter().for_each(|killed| killed.history.assert_right());
    });
}

/// Runs `TIMES` rounds, some beside each other, as most of their time is waiting. Returns the worst of what they measured.
fn rounds(round: impl Fn(u32) -> Duration + Sync) -> Duration {
    const BESIDE: u32 = 8;
    let worst = Mutex::new(Duration::ZERO);
    thread::scope(|scope| {
        for first in 0..BESIDE {
            let (round, worst) = (&round, &worst);
            scope.spawn(move || {
                for number in (first..TIMES).step_by(BESIDE as usize) {
                    let took = round(number);
                    let mut worst = worst.lock().unwrap();
                    *worst = took.max(*worst);
                }
            });
        }
    });
    worst.into_inner().unwrap()
}

#[test]
fn stopped_holders_bound_to_their_lock_are_never_overtaken() {
    for subject in shared().into_iter().filter(|subject| subject.capabilities.bound_to_process) {
        let ttl = ttl_of(&subject);
        let settings = settings("stop:", ttl);
        let worst = rounds(|round| {
            let lock = subject.open(&settings).unwrap().lock(format!("{round}"));
            let mut victim = peer(&subject, &settings, side(round));
            let token = smol::block_on(victim.hold("g", &format!("{round}"), &[]));
            victim.stop();
            let error = lock.clone().wait(ttl * 3 / 2).acquire().unwrap_err();
            assert!(error.is_locked(), "{error}");
            victim.go_on();
            assert_eq!(smol::block_on(victim.ask(&["held", "g"])), ["true"]);
            assert_eq!(smol::block_on(victim.ask(&["release", "g"])), ["released"]);
            let begin = Instant::now();
            let guard = lock.acquire().unwrap();
            assert!(guard.fencing_token() > token);
            begin.elapsed()
        });
        report(&format!(
            "{}: {TIMES} holders stopped, 0 overtaken, worst acquire after release {worst:?}",
            subject.name
        ));
    }
}

#[test]
fn stopped_holders_whose_lease_ended_know_it_at_their_first_instruction() {
    for_each(shared(), |subject| {
        let bound = subject.capabilities.bound_to_process;
        let ttl = ttl_of(subject);
        let settings = settings("late:", ttl);
        let worst = rounds(|round| {
            let key = format!("{round}");
            let lock = subject.open(&settings).unwrap().lock(&key).renew(true).ttl(Duration::from_secs(30));
            let mut victim = peer(subject, &settings, side(round));
            let options: &[&str] = if bound { &["renew=no"] } else { &[PATIENT] };
            // Who has to connect first, or make a table, may need longer than such a ttl is.
            smol::block_on(victim.hold("first", &format!("first-{round}"), &["ttl=30000"]));
            let token = smol::block_on(victim.hold("g", &key, options));
            let gap = ttl.as_millis().to_string();
            assert_eq!(smol::block_on(victim.ask(&["watch", "g", &gap])), ["watching"]);
            let begin = Instant::now();
            victim.stop();
            let successor = (!bound).then(|| lock.acquire().unwrap());
            thread::sleep((ttl * 2).saturating_sub(begin.elapsed()));
            if bound {
                assert!(lock.try_acquire().unwrap().is_none(), "overtaken while stopped");
            }
            victim.go_on();
            let answer = smol::block_on(victim.answer());
            let [held, lost, told, released] = &answer[..] else { panic!("{answer:?}") };
            assert_eq!((held.as_str(), lost.as_str(), released.as_str()), ("false", "true", "lost"));
            let told = Duration::from_millis(told.parse().unwrap());
            let told = told.saturating_sub(pulse::stalled_since(begin));
            assert!(told <= Duration::from_millis(50), "told {told:?} after it went on");
            let successor = successor.unwrap_or_else(|| lock.acquire().unwrap());
            assert!(successor.fencing_token() > token);
            smol::block_on(victim.ask(&["drop", "g"]));
            assert!(successor.is_held());
            assert_eq!(lock.holder().unwrap().map(|holder| holder.owner), Some(successor.owner()));
            told
        });
        report(&format!(
            "{}: {TIMES} holders overtaken while stopped, all knew; loss told after {worst:?} at worst",
            subject.name
        ));
    });
}

#[test]
fn processes_that_share_a_lock_all_get_on_and_exclude_each_other() {
    const HOLDS: usize = 400;
    for subject in shared() {
        let scratch = Scratch::new("history");
        let path = scratch.path().join("history");
        let settings = settings("share:", Duration::from_secs(30));
        let times = HOLDS.to_string();
        let mut peers: Vec<Peer> = (0..4).map(|round| peer(&subject, &settings, side(round))).collect();
        let begin = Instant::now();
        for peer in &mut peers {
            peer.tell(&["loop", "k", path.to_str().unwrap(), &times, "100"]);
        }
        for peer in &mut peers {
            assert_eq!(smol::block_on(peer.answer()), ["done"]);
        }
        let history = History::read(&path);
        report(&format!(
            "{}: {} holds of 4 processes in {:?}, {} double holds",
            subject.name,
            history.holds.len(),
            begin.elapsed(),
            history.double_holds()
        ));
        assert_eq!(history.holds.len(), HOLDS * 4);
        history.assert_right();
    }
}

/// Every way of ending a process that has just dropped a guard whose release takes a while.
#[test]
fn a_release_that_takes_a_while_is_done_before_the_process_ends() {
    for how in ["return", "exit", "async-return", "async-exit", "worker", "current-thread", "thread", "panic"]
    {
        for _ in 0..5 {
            let scratch = Scratch::new("exit");
            let released = scratch.path().join("released");
            let output = Command::new(holder_path()).arg("slow").arg(&released).arg(how).output().unwrap();
            assert_eq!(output.status.success(), how != "panic", "{how}: {output:?}");
            assert!(released.exists(), "{how}: the process ended before its lock was released");
        }
    }
}

/// A guard is its process's: a child that drops its copy, or believes in it, would share the lock with its parent's
/// successor. And what the parent holds, the child waits for as everybody does.
#[test]
fn a_forked_child_has_none_of_its_parents_locks_and_ends_none() {
    for subject in shared() {
        let locker = subject.open(&settings("lock:", Duration::from_secs(30))).unwrap();
        let mut process = forks(&subject);
        let mut process = process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut told = || told.next().unwrap().unwrap();
        assert_eq!(
            (told(), told()),
            ("child\tfalse\ttrue\tlost".into(), "parent\ttrue\ttrue".into()),
            "{}",
            subject.name
        );
        for key in ["fork:k", "fork:l"] {
            assert!(
                locker.lock(key).try_acquire().unwrap().is_none(),
                "{}: the child has ended it",
                subject.name
            );
        }
        process.stdin.take().unwrap().write_all(b"release\n").unwrap();
        let child = told();
        assert!(
            child == "child\tdone" || child.contains("a forked child cannot use SQLite"),
            "{}: {child}",
            subject.name
        );
        assert_eq!(told(), "parent\tdone\tdone", "{}", subject.name);
        assert!(process.wait().unwrap().success());
    }
}
