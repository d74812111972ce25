//! What a helper process does for the cases: it reads commands and answers them, line by line.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    mem, process,
    time::Duration,
};

use super::executor::Side;
use crate::{
    clock::Moment,
    config::Settings,
    error::{Error, Result},
    guard::Guard,
    lease::Owner,
    lock::Lock,
    locker::Locker,
    park,
    race::{Either, race},
};

/// Obeys the commands of a conformance case until its input ends; `open` opens the store under test.
///
/// A command and its answer are a line each, of fields separated by tabs:
/// - `open prefix ttl retry side` comes first, with times in milliseconds, and has no answer;
/// - `acquire name key [ttl=ms] [wait=ms] [renew=no] [blocking=no]`, `adopt name key owner [..]`: `granted token owner`,
///   or `locked`, `timeout`, `lost`, `error text`;
/// - `release name`, `drop name`, `held name`, `owner name`: what the guard says;
/// - `watch name ms`: `watching`, and, once the process was stopped for longer than that, what became of the guard;
/// - `loop key file times microseconds`: a history of holds for the history checker, then `done`;
/// - `many count`: holds so many locks, one after the other and a twentieth of them at once: how many threads that took;
/// - `leave name`, `exit name`: drops the guard, and ends the process by returning or by `exit`;
/// - `abandon name`: ends the process with the guard never dropped.
///
/// # Panics
/// If it is told something else, or its pipes break.
pub fn serve(open: impl Fn(&Settings) -> Result<Locker>) {
    let mut lines = io::stdin().lines().map_while(io::Result::ok);
    let opening = lines.next().unwrap_or_default();
    let opening: Vec<&str> = opening.split('\t').collect();
    let ["open", prefix, ttl, retry, side] = opening[..] else { panic!("not an opening: {opening:?}") };
    let settings = Settings {
        prefix: Some(prefix.to_owned()),
        ttl: Some(millis(ttl)),
        retry: Some(millis(retry)),
        release_on_drop: None,
    };
    let side = if side == "async" { Side::Async } else { Side::Blocking };
    let mut helper = Helper { locker: open(&settings), side, guards: HashMap::new() };
    for line in lines {
        let command: Vec<&str> = line.split('\t').collect();
        match command[..] {
            ["leave", name] => return drop(helper.guards.remove(name)),
            ["exit", name] => {
                drop(helper.guards.remove(name));
                process::exit(0);
            }
            ["abandon", name] => return helper.guards.remove(name).map_or((), mem::forget),
            _ => say(&helper.obey(&command).unwrap_or_else(|error| explain(&error))),
        }
    }
}

struct Helper {
    locker: Result<Locker>,
    side: Side,
    guards: HashMap<String, Guard>,
}

impl Helper {
    fn obey(&mut self, command: &[&str]) -> Result<String> {
        match *command {
            ["acquire", name, key, ref options @ ..] => {
                let lock = self.lock(key, options)?;
                let guard = self.acquire(&lock)?;
                Ok(self.keep(name, guard))
            }
            ["adopt", name, key, owner, ref options @ ..] => {
                let guard = self.lock(key, options)?.adopt(owner.parse::<Owner>()?)?;
                Ok(self.keep(name, guard))
            }
            ["release", name] => self.guard(name).release().map(|()| "released".into()),
            ["drop", name] => {
                self.guards.remove(name);
                Ok("dropped".into())
            }
            ["held", name] => Ok(self.guard(name).is_held().to_string()),
            ["owner", name] => Ok(self.guards.remove(name).map(Guard::into_owner).unwrap().to_string()),
            ["watch", name, gap] => {
                Ok(watch(self.guard(name), millis(gap)))
            }
            ["loop", key, path, times, pause] => self.write_history(key, path, times, pause),
            ["many", count] => self.hold_many(count.parse().unwrap()),
            _ => panic!("not a command: {command:?}"),
        }
    }

    fn guard(&self, name: &str) -> &Guard {
        self.guards.get(name).expect("a guard of that name")
    }

    fn lock(&self, key: &str, options: &[&str]) -> Result<Lock> {
        let mut lock = self.locker.clone()?.lock(key);
        for option in options {
            lock = match option.split_once('=') {
                Some(("ttl", time)) => lock.ttl(millis(time)),
                Some(("wait", time)) => lock.wait(millis(time)),
                Some(("retry", time)) => lock.retry(millis(time)),
                Some(("renew", "no")) => lock.renew(false),
                Some(("blocking", "no")) => lock.blocking(false),
                _ => panic!("not an option: {option}"),
            };
        }
        Ok(lock)
    }

    fn acquire(&self, lock: &Lock) -> Result<Guard> {
        match self.side {
            Side::Blocking => lock.acquire(),
            Side::Async => park::block_on(lock.acquire_async()),
        }
    }

    fn keep(&mut self, name: &str, guard: Guard) -> String {
        let answer = format!("granted\t{}\t{}", guard.fencing_token(), guard.owner());
        self.guards.insert(name.to_owned(), guard);
        answer
    }

    /// `A token pid at until`, acquired, and `R token pid at`, about to be released.
    fn write_history(&self, key: &str, path: &str, times: &str, pause: &str) -> Result<String> {
        let pause = Duration::from_micros(pause.parse().unwrap());
        let lock = self.lock(key, &[])?;
        let history = OpenOptions::new().append(true).create(true).open(path).unwrap();
        for _ in 0..times.parse::<u32>().unwrap() {
            let guard = self.acquire(&lock)?;
            note(&history, "A", &guard);
            std::thread::sleep(pause);
            note(&history, "R", &guard);
            guard.release()?;
        }
        Ok("done".into())
    }

    fn hold_many(&self, count: u32) -> Result<String> {
        let first = self.acquire(&self.lock("many", &[])?)?;
        let before = threads();
        for number in 0..count {
            drop(self.acquire(&self.lock(&format!("many-{number}"), &[])?)?);
        }
        let locks = (0..count / 20).map(|number| self.lock(&format!("many-{number}"), &[]));
        let guards: Result<Vec<Guard>> = locks.map(|lock| self.acquire(&lock?)).collect();
        let answer = format!("{before}\t{}\t{}", threads(), guards?.len());
        drop(first);
        Ok(answer)
    }
}

/// Waits to be stopped for longer than `gap`, and tells how the guard stood when that ended.
fn watch(guard: &Guard, gap: Duration) -> String {
    let mut last = Moment::now();
    say("watching");
    while Moment::now().since(last) <= gap {
        last = Moment::now();
        std::thread::sleep(Duration::from_millis(1));
    }
    let held = guard.is_held();
    let begin = Moment::now();
    let (timer, rung) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(timer);
    });
    let lost = matches!(park::block_on(race(guard.lost(), rung)), Either::First(()));
    let told = Moment::now().since(begin).as_millis();
    let released = guard.release().map_or_else(|error| explain(&error), |()| "released".into());
    format!("{held}\t{lost}\t{told}\t{released}")
}

fn note(mut history: &File, what: &str, guard: &Guard) {
    let now = Moment::now();
    let until = now.after(guard.remaining()).as_nanos();
    let line =
        format!("{what} {} {} {} {until}\n", guard.fencing_token(), process::id(), now.as_nanos());
    history.write_all(line.as_bytes()).unwrap();
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn explain(error: &Error) -> String {
    match error {
        Error::Locked { .. } => "locked".into(),
        Error::Timeout { .. } => "timeout".into(),
        Error::Lost { .. } => "lost".into(),
        Error::WouldDeadlock { .. } => "would deadlock".into(),
        error => format!("error\t{error}"),
    }
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().expect("milliseconds"))
}

/// A pipe, not a terminal: without a flush nobody would hear.
fn say(answer: &str) {
    let mut output = io::stdout().lock();
    writeln!(output, "{answer}").and_then(|()| output.flush()).expect("somebody listens");
}
