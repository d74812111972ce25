//! Another process full of callers: many who work on one key, or many who wait for as many.
//!
//! `crowd URL` reads what a `Peer` says, line by line, in fields separated by tabs. `open prefix ttl retry side` comes
//! first. Then
//! - `work key history tasks pause`: so many tasks hold the key in turn, for so many microseconds each time, without a
//!   thought in between, and whatever fails; until `stop`, which is answered by how often each held it, and then by how
//!   many calls failed;
//! - `wait count`: waits for so many keys at once, and answers `had` when it has had them all;
//! - `threads`: how many this process has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a program of the tests")]

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use lock::{Guard, Lock, Locker, Settings};
use tests::journal::Journal;

fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let mut lines = io::stdin().lines().map_while(io::Result::ok);
    let opening = lines.next().unwrap_or_default();
    let ["open", prefix, ttl, retry, side] = opening.split('\t').collect::<Vec<_>>()[..] else {
        panic!("not an opening: {opening:?}")
    };
    let settings = Settings {
        prefix: Some(prefix.to_owned()),
        ttl: Some(Duration::from_millis(ttl.parse().unwrap())),
        retry: Some(Duration::from_millis(retry.parse().unwrap())),
        release_on_drop: None,
    };
    let locker = Locker::open_with(&url, &settings).unwrap();
    let asynchronous = side == "async";
    let mut work = None;
    for line in lines {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["work", key, history, tasks, pause] => {
                work = Some(Work::start(&locker.lock(key), history, tasks, pause, asynchronous));
            }
            ["stop"] => say(&work.take().expect("something to stop").stop()),
            ["wait", count] => wait_for_many(&locker, count.parse().unwrap()),
            ["threads"] => say(&fs_threads().to_string()),
            _ => panic!("not a command: {line:?}"),
        }
    }
    // Whoever started this is gone.
    process::exit(0);
}

fn fs_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

struct Work {
    over: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    tasks: Vec<JoinHandle<u32>>,
}

impl Work {
    fn start(lock: &Lock, history: &str, tasks: &str, pause: &str, asynchronous: bool) -> Self {
        let pause = Duration::from_micros(pause.parse().unwrap());
        let (over, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let journal = Arc::new(Journal::at(PathBuf::from(history)));
        let task = |_| {
            let (lock, journal) = (lock.clone(), Arc::clone(&journal));
            let (over, failed) = (Arc::clone(&over), Arc::clone(&failed));
            thread::spawn(move || {
                let mut holds = 0;
                while !over.load(Ordering::SeqCst) {
                    match hold(&lock, &journal, pause, asynchronous) {
                        Ok(()) => holds += 1,
                        Err(_) => {
                            failed.fetch_add(1, Ordering::SeqCst);
                            // Nobody asks a server that is away as fast as he can.
                            thread::sleep(Duration::from_millis(5));
                        }
                    }
                }
                holds
            })
        };
        let tasks = (0..tasks.parse::<u32>().unwrap()).map(task).collect();
        Self { over, failed, tasks }
    }

    fn stop(self) -> String {
        self.over.store(true, Ordering::SeqCst);
        let mut counts: Vec<String> =
            self.tasks.into_iter().map(|task| task.join().unwrap().to_string()).collect();
        counts.push(self.failed.load(Ordering::SeqCst).to_string());
        counts.join("\t")
    }
}

fn hold(lock: &Lock, journal: &Journal, pause: Duration, asynchronous: bool) -> lock::Result<()> {
    let guard: Guard = if asynchronous { smol::block_on(lock.acquire_async())? } else { lock.acquire()? };
    journal.acquired(&guard);
    thread::sleep(pause);
    journal.releasing(&guard);
    if asynchronous { smol::block_on(guard.release_async()) } else { guard.release() }
}

/// In tasks of one thread, as a server with many connections of its own would.
fn wait_for_many(locker: &Locker, count: u32) {
    let locker = locker.clone();
    thread::spawn(move || {
        let executor = smol::LocalExecutor::new();
        let tasks: Vec<_> = (0..count)
            .map(|number| {
                let lock = locker.lock(format!("many-{number}"));
                executor
                    .spawn(async move { lock.acquire_async().await.unwrap().release_async().await.unwrap() })
            })
            .collect();
        smol::block_on(executor.run(async {
            for task in tasks {
                task.await;
            }
        }));
        say("had");
    });
}

/// A pipe, not a terminal: without a flush nobody would hear.
fn say(answer: &str) {
    let mut output = io::stdout().lock();
    writeln!(output, "{answer}").and_then(|()| output.flush()).expect("somebody listens");
}
