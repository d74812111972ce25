//! The parts of these figures that are played in a process of their own.

use benches::{Result, crew, hand_over};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{contenders::ours, hand_over::BLOCKING, store::named, uncontended};

/// Plays one, for no longer than the process that asked for it is there.
pub(crate) fn play(part: &str, arguments: &[String]) -> Result {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    match (part, arguments) {
        ("wait", [name, url]) if name == BLOCKING => hand_over::wait_blocking(&*ours::blocking(url)?),
        ("wait", [name, url]) => hand_over::wait(named(name, url)?, url),
        ("work", [name, url, first, tasks, workers]) => {
            crew::work(named(name, url)?, url, [first.parse()?, tasks.parse()?, workers.parse()?])
        }
        // For a profiler, with a server that is there: `… --part loop NAME URL one|several|blocking COUNT`.
        ("loop", [name, url, way, count]) => uncontended::over_and_over(name, url, way, count.parse()?),
        _ => Err(format!("unknown part {part} {arguments:?}").into()),
    }
}
