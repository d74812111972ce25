//! The figures that `lock` promises, each beside a peer or the floor in the same run.
//!
//! `cargo bench -p benches --bench figures` prints them and writes `docs/figures.md`; add `-- --quick` for a short run
//! that only prints, and names of figures to measure only those.

mod cancelled;
mod duel;
mod file;
mod held;
mod hot_key;
mod leases;
mod part;
mod processes;
mod uncontended;

use benches::{
    Result,
    order::{Effort, Order},
    page::Page,
    report::{self, Row},
};

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

const PAGE: Page<'_> = Page {
    file: "figures.md",
    title: "Figures",
    about: "Measured side by side in one run: interleaved rounds, medians; a ratio is the median of the rounds' ratios.\n\
            Below each other stand what was measured, our figure, that of a peer or of the floor, and what is demanded.\n\
            To repeat it: `cargo bench -p benches --bench figures` (it rewrites this page).",
    peers: &["lockable", "keyed-lock", "key-mutex", "dashmap", "tokio"],
};

fn main() -> Result {
    if let Some((part, arguments)) = benches::part::given() {
        return part::play(&part, &arguments);
    }
    let order = Order::read();
    let rows = order.each(&FIGURES, |measure| measure(order.effort))?;
    let table = report::table(&rows);
    println!("\n{table}");
    if order.is_whole(&FIGURES) { PAGE.write(&[], &table) } else { Ok(()) }
}
