//! Parts of a figure that are played in a process of their own: this program, started once more.

use std::{
    env,
    process::{Command, Stdio},
};

use benches::Result;

use crate::{held, leases, processes};

/// The first argument of such a process.
pub(crate) const FLAG: &str = "--part";

pub(crate) fn play(part: &str, arguments: &[String]) -> Result {
    match (part, arguments) {
        ("wait", [how, directory]) => processes::wait(how, directory),
        ("held", [url]) => held::hold(url),
        ("leases", [ttl, seconds]) => leases::idle(ttl.parse()?, seconds.parse()?),
        _ => Err(format!("unknown part {part} {arguments:?}").into()),
    }
}

/// The command that starts one.
pub(crate) fn command(part: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(FLAG).arg(part).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

/// Plays one to its end, and reads the numbers that it printed.
pub(crate) fn numbers<const N: usize>(part: &str, arguments: &[&str]) -> Result<[f64; N]> {
    let output = command(part, arguments)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: std::result::Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    numbers?.try_into().map_err(|_| format!("part {part} told {text:?}").into())
}
