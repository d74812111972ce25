//! The figures that `lock` promises over Redis, beside the client alone and the peers, in one run.
//!
//! `cargo bench -p benches --bench redis` starts a server of its own, prints the figures and writes
//! `docs/figures-redis.md` with its chart; add `-- --quick` for a run of a minute that only prints, and names of figures
//! to measure only those.

mod asked;
mod blocking;
mod contended;
mod contender;
mod contenders;
mod crowd;
mod dropped;
mod hand_over;
mod outcome;
mod parked;
mod part;
mod profiled;
mod python;
mod requests;
mod server;
mod stage;
mod uncontended;
mod waiters;

use benches::{
    Result, calls, chart, columns, cores, crew,
    order::Order,
    page::{self, Page},
    report::Row,
    turns,
};

use crate::{
    server::Server,
    stage::{Findings, Stage},
};

type Figure = fn(&Stage) -> Result<Vec<Findings>>;

const FIGURES: [(&str, Figure); 11] = [
    ("asked", asked::measure),
    ("uncontended", uncontended::measure),
    ("dropped", dropped::measure),
    ("blocking", blocking::alone),
    ("crowd", crowd::measure),
    ("threads", blocking::crowds),
    ("hand_over", hand_over::measure),
    ("python", python::measure),
    ("contended", contended::measure),
    ("waiters", waiters::measure),
    ("parked", parked::measure),
];

const CHART: &str = "figures-redis.svg";

const PAGE: Page<'_> = Page {
    file: "figures-redis.md",
    title: "Figures over Redis",
    about: "Measured side by side in one run: interleaved rounds, medians; a ratio is the median of the rounds' ratios.\n\
            *Pinned*: the clients on one processor, the server on another; otherwise wherever the kernel puts them.\n\
            To repeat it: `cargo bench -p benches --bench redis` (it starts its own server and rewrites this page).\n\n\
            ![Beside the peers](figures-redis.svg)",
    peers: &["redis", "rslock", "redis-lock", "rlock", "distributed-lock-redis", "redissun", "tokio"],
};

fn main() -> Result {
    if let Some((part, arguments)) = benches::part::given() {
        return part::play(&part, &arguments);
    }
    let order = Order::read();
    let stage = Stage { effort: order.effort, server: Server::start()? };
    let found = order.each(&FIGURES, |measure| {
        stage.server.clear()?;
        measure(&stage)
    })?;

    let sections: Vec<_> = found.iter().map(ToString::to_string).collect();
    let verdicts: Vec<_> =
        found.iter().flat_map(|findings| &findings.rows).filter_map(Row::verdict).collect();
    let met = verdicts.iter().filter(|met| **met).count();
    let text = format!("{met} of {} demands are met.\n\n{}", verdicts.len(), sections.join("\n"));
    println!("\n{text}");
    let panels: Vec<_> = found.into_iter().flat_map(|findings| findings.panels).collect();
    if order.is_whole(&FIGURES) {
        chart::draw(&page::path(CHART)?, &panels)?;
        let versions: Vec<_> = std::iter::once(server::version()?).chain(python::versions()).collect();
        PAGE.write(&versions, &text)
    } else {
        let sketch = std::env::temp_dir().join(CHART);
        chart::draw(&sketch, &panels)?;
        println!("chart: {}", sketch.display());
        Ok(())
    }
}
