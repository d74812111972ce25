//! The parts of these figures that are played in a process of their own.

use benches::Result;

use crate::{held, leases, processes};

pub(crate) fn play(part: &str, arguments: &[String]) -> Result {
    match (part, arguments) {
        ("wait", [how, directory]) => processes::wait(how, directory),
        ("held", [url]) => held::hold(url),
        ("leases", [ttl, seconds]) => leases::idle(ttl.parse()?, seconds.parse()?),
        _ => Err(format!("unknown part {part} {arguments:?}").into()),
    }
}
