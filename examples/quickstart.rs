//! Eight processes post 2,000 transfers to one file of accounts: first without a lock, then under `#[lock("ledger")]`.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! The lock is the default one: files in a directory of the user, no server, nothing to set up.
//! Ends with a non-zero exit code if the books do not balance under the lock.

use std::{
    env,
    fmt::Display,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lock::{Locker, Settings, lock};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const PROCESSES: u32 = 8;
const TRANSFERS: u32 = 2_000;
const AMOUNTS: [i64; 6] = [5, 20, 75, 120, 250, 480];
const OPENING_BALANCE: i64 = 100_000;
const ACCOUNTS: [&str; 10] = ["ada", "bob", "cleo", "dan", "eve", "finn", "gus", "hana", "ivo", "judy"];

/// Moves money from one account to another: two postings, each of which reads the file and writes it back.
fn transfer(ledger: &Path, of: Transfer) -> io::Result<()> {
    post(ledger, of.from, -of.amount)?;
    post(ledger, of.to, of.amount)
}

/// The same, by one process at a time.
#[lock("ledger")]
fn transfer_under_lock(ledger: &Path, of: Transfer) -> io::Result<()> {
    transfer(ledger, of)
}

fn main() -> Result<()> {
    // What is shown is the default, whatever the environment of the reader says.
    lock::install(lock::Config::new().global(Locker::embedded(&Settings::default())?))?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        [how, worker, ledger] => work(how == "locked", worker.parse()?, Path::new(ledger)),
        _ => Err("quickstart takes no arguments".into()),
    }
}

/// What the person at the terminal started.
fn compare() -> Result<()> {
    let folder = Folder::create()?;
    let ledger = folder.0.join("ledger.txt");
    println!("A file of {} accounts with {} each.", ACCOUNTS.len(), grouped(OPENING_BALANCE));
    println!(
        "{PROCESSES} processes post {} transfers to it, each one out of one account and into another.",
        grouped(TRANSFERS)
    );

    println!("\nWithout a lock");
    let without = run(&ledger, "unlocked")?;
    without.print();

    println!("\nUnder #[lock(\"ledger\")]");
    let with = run(&ledger, "locked")?;
    with.print();

    if !with.balances() {
        return Err("the books do not balance under the lock".into());
    }
    println!("\nThe books balance: under the lock nothing was lost.");
    Ok(())
}

/// Lets eight processes work on a fresh ledger and compares it with what it should have become.
fn run(ledger: &Path, how: &str) -> Result<Outcome> {
    write(ledger, &[Account { balance: OPENING_BALANCE, postings: 0 }; ACCOUNTS.len()])?;
    let mut workers = Vec::new();
    for worker in 0..PROCESSES {
        let mut command = Command::new(env::current_exe()?);
        command.arg(how).arg(worker.to_string()).arg(ledger).stdin(Stdio::piped()).stdout(Stdio::piped());
        workers.push(command.spawn()?);
    }
    print!("  ");
    let started = Instant::now();
    for worker in &mut workers {
        drop(worker.stdin.take()); // all of them are there: go
    }
    let watchers: Vec<_> = workers.into_iter().map(|worker| thread::spawn(|| watch(worker))).collect();
    let mut longest = Duration::ZERO;
    for watcher in watchers {
        longest = longest.max(watcher.join().map_err(|_| "a watching thread failed")??);
    }
    let took = started.elapsed();
    println!(" {:.2} s", took.as_secs_f64());
    Ok(Outcome { books: read(ledger)?, took, longest })
}

/// A dot for every 50 transfers that a worker reports; its last line is the longest it waited, in microseconds.
fn watch(mut worker: Child) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    for line in worker.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        match line?.as_str() {
            "." => {
                print!(".");
                io::stdout().flush()?;
            }
            microseconds => longest = Duration::from_micros(microseconds.parse()?),
        }
    }
    let status = worker.wait()?;
    if status.success() { Ok(longest) } else { Err(format!("a worker ended with {status}").into()) }
}

/// One of the eight: its share of the transfers, one after the other.
fn work(locked: bool, worker: u32, ledger: &Path) -> Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?; // until the others are there
    let mut longest = Duration::ZERO;
    for (done, next) in transfers_of(worker).enumerate() {
        let asked = Instant::now();
        let post = if locked { transfer_under_lock } else { transfer };
        post(ledger, next)?;
        longest = longest.max(asked.elapsed());
        if (done + 1) % 50 == 0 {
            println!(".");
        }
    }
    println!("{}", longest.as_micros());
    Ok(())
}

#[derive(Clone, Copy)]
struct Transfer {
    from: usize,
    to: usize,
    amount: i64,
}

/// The same transfers in every run, so that the right balances are known.
fn transfers_of(worker: u32) -> impl Iterator<Item = Transfer> {
    let mut seed = u64::from(worker) + 1;
    let mut below = move |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    let accounts = ACCOUNTS.len();
    (0..TRANSFERS / PROCESSES).map(move |_| {
        let from = below(accounts);
        let to = (from + 1 + below(accounts - 1)) % accounts;
        Transfer { from, to, amount: AMOUNTS[below(AMOUNTS.len())] }
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Account {
    balance: i64,
    postings: i64,
}

type Books = [Account; ACCOUNTS.len()];

fn post(ledger: &Path, account: usize, amount: i64) -> io::Result<()> {
    let mut books = read(ledger)?;
    books[account].balance += amount;
    books[account].postings += 1;
    write(ledger, &books)
}

fn read(ledger: &Path) -> io::Result<Books> {
    let text = fs::read_to_string(ledger)?;
    let mut books = [Account { balance: 0, postings: 0 }; ACCOUNTS.len()];
    for (account, line) in books.iter_mut().zip(text.lines()) {
        let mut figures = line.split_whitespace().skip(1).map(str::parse);
        if let (Some(Ok(balance)), Some(Ok(postings))) = (figures.next(), figures.next()) {
            *account = Account { balance, postings };
        }
    }
    Ok(books)
}

/// Replaces the file as a whole, so that nobody ever reads half of it: what is lost is lost all the same.
fn write(ledger: &Path, books: &Books) -> io::Result<()> {
    let lines: Vec<String> = ACCOUNTS
        .iter()
        .zip(books)
        .map(|(name, account)| format!("{name:<6} {:>10} {:>6}\n", account.balance, account.postings))
        .collect();
    let new = ledger.with_extension(process::id().to_string());
    fs::write(&new, lines.concat())?;
    fs::rename(new, ledger)
}

struct Outcome {
    books: Books,
    took: Duration,
    /// The longest a transfer took, waiting included.
    longest: Duration,
}

impl Outcome {
    /// What every account should have come to.
    fn expected() -> Books {
        let mut books = [Account { balance: OPENING_BALANCE, postings: 0 }; ACCOUNTS.len()];
        for transfer in (0..PROCESSES).flat_map(transfers_of) {
            books[transfer.from].balance -= transfer.amount;
            books[transfer.from].postings += 1;
            books[transfer.to].balance += transfer.amount;
            books[transfer.to].postings += 1;
        }
        books
    }

    fn balances(&self) -> bool {
        self.books == Self::expected()
    }

    fn print(&self) {
        let posted: i64 = self.books.iter().map(|account| account.postings).sum();
        let should = i64::from(TRANSFERS) * 2;
        let money = self.books.iter().map(|account| account.balance - OPENING_BALANCE).sum::<i64>();
        let wrong = self.books.iter().zip(Self::expected()).filter(|(is, should)| **is != *should).count();
        println!("  postings lost   {:>8} of {}", grouped(should - posted), grouped(should));
        println!("  money {:<9} {:>8}", if money < 0 { "gone" } else { "created" }, grouped(money.abs()));
        println!("  accounts wrong  {wrong:>8} of {}", ACCOUNTS.len());
        println!(
            "  a transfer took {:>8} µs, the slowest {} µs",
            grouped((self.took / TRANSFERS).as_micros()),
            grouped(self.longest.as_micros())
        );
    }
}

/// A folder of this run, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn create() -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("lock-quickstart-{}", process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
