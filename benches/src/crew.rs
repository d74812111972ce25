//! Workers who all want one key, in processes of their own.

use std::{
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Child, ChildStdin, ChildStdout},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    Result,
    alarm::Alarm,
    contender::{Contender, Entry},
    machine, part,
    stage::{Threads, players},
    turns::Turn,
};

const SECTION: Duration = Duration::from_millis(1);
/// The longest thought between two turns; the mean is half of it.
const THOUGHT: u64 = 4;
/// For an order to reach every process before the round begins.
const NOTICE: Duration = Duration::from_millis(20);

/// What workers do between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// They want the next one at once.
    Greedy,
    /// They think for a moment.
    Thinking,
    /// A quarter of them is greedy, the others think.
    Mixed,
}

impl Manner {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Greedy, Self::Thinking, Self::Mixed];

    /// As the figures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Thinking => "thinking",
            Self::Mixed => "a quarter greedy",
        }
    }

    /// What a worker thinks after a turn. Everybody's is different, and the same for each contender.
    fn thought(self, worker: usize, workers: usize, turn: u64) -> Duration {
        let greedy = self == Self::Greedy || (self == Self::Mixed && worker < workers / 4);
        let thought = if greedy { 0 } else { (worker as u64 * 7 + turn * 13) % (THOUGHT + 1) };
        Duration::from_millis(thought)
    }
}

/// How many workers a contender is used by.
#[derive(Debug)]
pub struct Team {
    /// Whose lock they use.
    pub entry: Entry,
    /// In how many processes they are.
    pub processes: usize,
    /// Of each process.
    pub tasks: usize,
}

/// The processes of one contender.
#[derive(Debug)]
pub struct Crew {
    processes: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Crew {
    /// Starts them; `url` is where the contender connects to.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn start(team: &Team, url: &str) -> Result<Self> {
        let Team { entry, processes, tasks } = *team;
        let workers = processes * tasks;
        let start = |number: usize| -> Result<Process> {
            let numbers = [number * tasks, tasks, workers].map(|number| number.to_string());
            let [first, tasks, workers] = numbers.each_ref();
            let mut child = part::command("work", &[entry.name, url, first, tasks, workers])?.spawn()?;
            let orders = child.stdin.take().ok_or("no way to the other process")?;
            let told = BufReader::new(child.stdout.take().ok_or("no way from the other process")?);
            Ok(Process { child, orders, told })
        };
        Ok(Self { processes: (0..processes).map(start).collect::<Result<_>>()? })
    }

    /// All turns of a round, when it began, and when it was to end.
    ///
    /// # Errors
    /// If a process has failed.
    pub fn round(&mut self, span: Duration, manner: Manner) -> Result<(Vec<Turn>, u64, u64)> {
        let manner = Manner::ALL.iter().position(|other| *other == manner).unwrap_or_default();
        let begin = machine::boot_time() + u64::try_from(NOTICE.as_nanos())?;
        let end = begin + u64::try_from(span.as_nanos())?;
        for process in &mut self.processes {
            writeln!(process.orders, "{begin} {end} {manner}")?;
        }
        let mut turns = Vec::new();
        for process in &mut self.processes {
            loop {
                let mut line = String::new();
                process.told.read_line(&mut line)?;
                match line.trim() {
                    "end" => break,
                    turn => turns.push(turn.parse()?),
                }
            }
        }
        Ok((turns, begin, end))
    }

    /// Lets them end.
    ///
    /// # Errors
    /// If their end cannot be waited for.
    pub fn end(self) -> Result {
        for Process { mut child, orders, told } in self.processes {
            drop((orders, told));
            child.wait()?;
        }
        Ok(())
    }
}

/// The part of such a process.
///
/// # Errors
/// If its contender fails.
pub fn work(entry: Entry, url: &str, numbers: [usize; 3]) -> Result {
    let [first, tasks, workers] = numbers;
    let runtime = Threads::Many.runtime()?;
    let player = players(&runtime, &[entry], url, "hot")?.remove(0);
    let alarm = Alarm::default();
    for order in stdin().lines() {
        let numbers: std::result::Result<Vec<u64>, _> = order?.split(' ').map(str::parse).collect();
        let [begin, end, manner] = numbers?[..] else { return Err("not an order".into()) };
        let manner = Manner::ALL[usize::try_from(manner)?];
        let worker = |number: usize| {
            let (contender, key, alarm) = (player.contender.clone(), player.key.clone(), alarm.clone());
            let thought = move |turn| manner.thought(number, workers, turn);
            runtime.spawn(worker(contender, key, alarm, number, [begin, end], thought))
        };
        let workers: Vec<_> = (first..first + tasks).map(worker).collect();
        let mut text = String::new();
        for worker in workers {
            text.extend(runtime.block_on(worker)??.iter().map(|turn| format!("{turn}\n")));
        }
        stdout().write_all((text + "end\n").as_bytes())?;
    }
    Ok(())
}

async fn worker(
    contender: Arc<dyn Contender>,
    key: String,
    alarm: Alarm,
    worker: usize,
    [begin, end]: [u64; 2],
    thought: impl Fn(u64) -> Duration,
) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    tokio::time::sleep(Duration::from_nanos(begin.saturating_sub(machine::boot_time()))).await;
    while machine::boot_time() < end {
        let asked = machine::boot_time();
        let times: Arc<[AtomicU64; 2]> = Arc::default();
        let (noted, alarm) = (Arc::clone(&times), alarm.clone());
        let section = Box::pin(async move {
            let had = machine::boot_time();
            noted[0].store(had, Relaxed);
            if had < end {
                // A section cut short by an error shows in the figures.
                drop(alarm.sleep(SECTION).await);
            }
            noted[1].store(machine::boot_time(), Relaxed);
        });
        contender.locked(&key, section).await?;
        let [had, released] = times.each_ref().map(|time| time.load(Relaxed));
        turns.push(Turn { worker, asked, had, released });
        let thought = thought(turns.len() as u64);
        if !thought.is_zero() {
            tokio::time::sleep(thought).await;
        }
    }
    Ok(turns)
}
