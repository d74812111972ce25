//! The locks that Python programs use, beside our callers that block. In an environment of their own, made at first use;
//! where it cannot be made, they do not take part.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use benches::{
    Result,
    report::{Demand, Row},
    rounds::{Run, each, interleaved, nanos},
};

use crate::{
    contenders::ours,
    hand_over::{BLOCKING, Waiter, asleep, synchronous},
    stage::{Findings, Stage},
};

const KINDS: [&str; 2] = ["redis-py", "python-redis-lock"];
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/redis/python/peer.py");
const PAIRS: u32 = 50;

pub(crate) fn measure(stage: &Stage) -> Result<Vec<Findings>> {
    let python = match environment() {
        Ok(python) => python,
        Err(error) => {
            eprintln!("  without the peers of Python: {error}");
            return Ok(Vec::new());
        }
    };
    let url = stage.server.url();
    let mut pairs =
        KINDS.map(|kind| Peer::start(&python, kind, &url)).into_iter().collect::<Result<Vec<_>>>()?;
    let contender = ours::blocking(&url)?;
    let mut runs: Vec<Run<'_>> = vec![Box::new(|| each(PAIRS, || contender.locked("python", &mut || ())))];
    runs.extend(pairs.iter_mut().map(|peer| -> Run<'_> { Box::new(|| peer.ask(&format!("pairs {PAIRS}"))) }));
    let uncontended = interleaved(stage.effort.rounds(31), stage.patience(), &mut runs)?;
    drop(runs);

    let mut others =
        KINDS.map(|kind| Peer::start(&python, kind, &url)).into_iter().collect::<Result<Vec<_>>>()?;
    let mut waiter = Waiter::start(BLOCKING, &url)?;
    let mut runs: Vec<Run<'_>> = vec![synchronous(&*contender, &mut waiter)];
    runs.extend(pairs.iter_mut().zip(&mut others).map(|(holder, waiter)| hand_over(holder, waiter)));
    let handed = interleaved(stage.effort.rounds(31), Duration::ZERO, &mut runs)?;
    drop(runs);
    waiter.end()?;
    pairs.into_iter().chain(others).try_for_each(Peer::end)?;

    let mut rows = Vec::new();
    for (figure, samples) in
        [("blocking: acquire + release", uncontended), ("blocking: hand-over between two processes", handed)]
    {
        for (number, kind) in (1..).zip(KINDS) {
            let (own, theirs, ratio) = (samples.median(0), samples.median(number), samples.ratio(0, number));
            rows.push(Row::beside(figure, own, &format!("{kind} (Python)"), theirs, ratio, Demand::Shown));
        }
    }
    Ok(vec![Findings { title: "Beside the locks of Python".into(), rows, ..Findings::default() }])
}

fn hand_over<'a>(holder: &'a mut Peer, waiter: &'a mut Peer) -> Run<'a> {
    let mut round = 0;
    Box::new(move || {
        round += 1;
        holder.ask::<u64>("hold")?;
        waiter.tell("wait")?;
        thread::sleep(asleep(round));
        let released: u64 = holder.ask("release")?;
        let passed = waiter.answer::<u64>()?.checked_sub(released).ok_or("had before it was released")?;
        Ok(nanos(Duration::from_nanos(passed)))
    })
}

/// The interpreter that has the peers, which are installed where they are missing.
fn environment() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).ok_or("this program is in no target directory")?;
    let directory = target.join("python-peers");
    let python = directory.join("bin/python");
    if !has_peers(&python) {
        eprintln!("  installing {KINDS:?} …");
        done(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
        done(Command::new(&python).args(["-m", "pip", "install", "-q", "redis", "python-redis-lock"]))?;
    }
    Ok(python)
}

fn has_peers(python: &Path) -> bool {
    let found = Command::new(python).args(["-c", "import redis, redis_lock"]).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn done(command: &mut Command) -> Result {
    let status = command.stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Which versions these are, for the page.
pub(crate) fn versions() -> Option<String> {
    let told = Command::new(environment().ok()?).args(["-m", "pip", "freeze"]).output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let found: Vec<_> = text.lines().filter(|line| line.contains("redis")).collect();
    Some(format!("in Python: {}", found.join(", ").replace("==", " ")))
}

/// A process that does what it is told.
struct Peer {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &Path, kind: &str, url: &str) -> Result<Self> {
        let mut command = Command::new(python);
        let mut child =
            command.args([PEER, kind, url]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take().ok_or("no way to the other process")?;
        let told = BufReader::new(child.stdout.take().ok_or("no way from the other process")?);
        Ok(Self { child, orders, told })
    }

    fn tell(&mut self, order: &str) -> Result {
        Ok(writeln!(self.orders, "{order}")?)
    }

    fn answer<T: std::str::FromStr>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        line.trim().parse().map_err(|_| format!("the peer told {line:?}").into())
    }

    fn ask<T: std::str::FromStr>(&mut self, order: &str) -> Result<T> {
        self.tell(order)?;
        self.answer()
    }

    fn end(mut self) -> Result {
        drop(self.orders);
        self.child.wait()?;
        Ok(())
    }
}
