//! Parts of a figure that are played in a process of their own: this program, started once more.

use std::{
    env,
    process::{Command, Stdio},
};

use crate::Result;

/// The first argument of such a process.
const FLAG: &str = "--part";

/// The part that this process is to play and its arguments, if it is such a process.
pub fn given() -> Option<(String, Vec<String>)> {
    let mut arguments = env::args().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    Some((arguments.next()?, arguments.collect()))
}

/// The command that starts one.
///
/// # Errors
/// If it is not known where this program is.
pub fn command(part: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(FLAG).arg(part).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

/// Plays one to its end, and reads the numbers that it printed.
///
/// # Errors
/// If it cannot be started, or told something else than so many numbers.
pub fn numbers<const N: usize>(part: &str, arguments: &[&str]) -> Result<[f64; N]> {
    let output = command(part, arguments)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: std::result::Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    numbers?.try_into().map_err(|_| format!("part {part} told {text:?}").into())
}
