//! The parts of these figures that are played in a process of their own.

use benches::Result;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{contender::named, crew, hand_over, parked, profiled, server};

/// Plays one, for no longer than the process that asked for it is there.
pub(crate) fn play(part: &str, arguments: &[String]) -> Result {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    match (part, arguments) {
        ("server", [port, directory]) => server::become_one(port, directory),
        ("wait", [name, url]) => hand_over::wait(name, url),
        ("work", [name, url, first, tasks, workers]) => {
            crew::work(named(name)?, url, [first.parse()?, tasks.parse()?, workers.parse()?])
        }
        ("hold", [url, keys]) => parked::hold(url, keys.parse()?),
        ("park", [url, keys]) => parked::park(url, keys.parse()?),
        // For a profiler: `target/release/deps/redis-… --part loop NAME URL one|several|crowd|"crowd of one"|blocking COUNT`.
        ("loop", [name, url, way, count]) => profiled::over_and_over(name, url, way, count.parse()?),
        _ => Err(format!("unknown part {part} {arguments:?}").into()),
    }
}
