//! The figures that `lock` promises over memcached and over databases, beside the clients alone and the peers, in one run.
//!
//! `cargo bench -p benches --bench stores` starts servers of its own, prints the figures and writes
//! `docs/figures-stores.md` with its chart; add `-- --quick` for a run of a minute that only prints, and names of figures
//! or of stores (`postgres`, `mysql`, `memcache`, `sqlite`) to measure only those.

mod asked;
mod contenders;
mod crowd;
mod greedy;
mod hand_over;
mod part;
mod servers;
mod stage;
mod store;
mod trips;
mod uncontended;

use benches::{
    Result, chart,
    order::Order,
    page::{self, Page},
    report::Row,
};

use crate::{
    stage::{Findings, Stage},
    store::STORES,
};

type Figure = fn(&Stage) -> Result<Vec<Findings>>;

const FIGURES: [(&str, Figure); 5] = [
    ("asked", asked::measure),
    ("uncontended", uncontended::measure),
    ("crowd", crowd::measure),
    ("hand_over", hand_over::measure),
    ("greedy", greedy::measure),
];

const CHART: &str = "figures-stores.svg";

const PAGE: Page<'_> = Page {
    file: "figures-stores.md",
    title: "Figures over memcached and databases",
    about: "Measured side by side in one run: interleaved rounds, medians; a ratio is the median of the rounds' ratios.\n\
            *Raw*: the same client crate, doing the least that makes a lock with a time to live: no token, no renewal, and\n\
            where the lock is held, a look every 100 ms.\n\
            To repeat it: `cargo bench -p benches --bench stores` (it starts its own servers and rewrites this page).\n\n\
            ![Beside the clients alone](figures-stores.svg)",
    peers: &["sqlx", "memcache", "tokio"],
};

fn main() -> Result {
    if let Some((part, arguments)) = benches::part::given() {
        return part::play(&part, &arguments);
    }
    let order = Order::read();
    let stage = Stage::begin(&order)?;
    let found = order.each(&FIGURES, |measure| measure(&stage))?;

    let sections: Vec<_> = found.iter().map(ToString::to_string).collect();
    let verdicts: Vec<_> =
        found.iter().flat_map(|findings| &findings.rows).filter_map(Row::verdict).collect();
    let met = verdicts.iter().filter(|met| **met).count();
    let text = format!("{met} of {} demands are met.\n\n{}", verdicts.len(), sections.join("\n"));
    println!("\n{text}");
    let panels: Vec<_> = found.into_iter().flat_map(|findings| findings.panels).collect();
    if order.is_whole(&FIGURES) && stage.places.len() == STORES.len() {
        chart::draw(&page::path(CHART)?, &panels)?;
        let versions: Vec<_> = stage.places.iter().map(|place| place.server.version.clone()).collect();
        PAGE.write(&versions, &text)
    } else {
        let sketch = std::env::temp_dir().join(CHART);
        chart::draw(&sketch, &panels)?;
        println!("chart: {}", sketch.display());
        Ok(())
    }
}
