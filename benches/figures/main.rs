//! The figures that `lock` promises, each beside a peer or the floor in the same run.
//!
//! `cargo bench -p benches` prints them and writes `docs/figures.md`; add `-- --quick` for a short run that only
//! prints, and names of figures to measure only those.

mod cancelled;
mod duel;
mod file;
mod held;
mod hot_key;
mod leases;
mod part;
mod processes;
mod uncontended;

use std::{env, fs, path::Path, time::Duration};

use benches::{
    Result, machine,
    report::{self, Row},
};

const PEERS: [&str; 5] = ["lockable", "keyed-lock", "key-mutex", "dashmap", "tokio"];

/// How long to measure.
#[derive(Clone, Copy)]
struct Effort {
    quick: bool,
}

impl Effort {
    /// So many rounds; a sixth of them in a hurry.
    fn rounds(self, rounds: usize) -> usize {
        if self.quick { rounds.div_ceil(6) } else { rounds }
    }

    /// How long to wait in all, for each figure, until other programs let it be measured.
    fn patience(self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 30 })
    }
}

type Figure = fn(Effort) -> Result<Vec<Row>>;

const FIGURES: [(&str, Figure); 8] = [
    ("uncontended", uncontended::measure),
    ("cancelled", cancelled::measure),
    ("hot_key", hot_key::throughput),
    ("hand_over", hot_key::hand_over),
    ("file", file::measure),
    ("processes", processes::measure),
    ("held", held::measure),
    ("leases", leases::measure),
];

fn main() -> Result {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [first, part, rest @ ..] = &*arguments
        && first == part::FLAG
    {
        return part::play(part, rest);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo test --all-targets` runs this as well, without `--bench`: it is to see that it works.
    let effort = Effort { quick: has("--quick") || !has("--bench") };
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !FIGURES.iter().any(|(name, _)| named(name));
    let mut rows = Vec::new();
    for (name, measure) in FIGURES {
        if all || named(name) {
            eprintln!("measuring {name} …");
            rows.extend(measure(effort)?);
        }
    }
    println!("\n{}", report::table(&rows));
    if all && !effort.quick { write(&rows) } else { Ok(()) }
}

/// Keeps the figures where people read them.
fn write(rows: &[Row]) -> Result {
    let mut text = String::from(
        "# Figures\n\n\
         Measured side by side in one run: interleaved rounds, medians; a ratio is the median of the rounds' ratios.\n\
         Below each other stand what was measured, our figure, that of a peer or of the floor, and what is demanded.\n\
         To repeat it: `cargo bench -p benches` (it rewrites this page).\n\n",
    );
    text.extend(machine::describe(&PEERS).iter().map(|line| format!("- {line}\n")));
    text += "\n";
    text += &report::table(rows);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("figures.md"), text)?;
    println!("written to docs/figures.md");
    Ok(())
}
