//! On what was measured, and what this process costs it.

use std::{fs, process::Command, time::Duration};

use crate::Result;

/// The lock file of this workspace, for the versions that were compared.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// Machine, kernel, compiler and the versions of the peers, one to a line.
pub fn describe(peers: &[&str]) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal:").unwrap_or_default() / (1 << 20);
    let peers: Vec<_> = peers.iter().map(|peer| format!("{peer} {}", version(peer))).collect();
    vec![
        format!("machine: {}, {cores} cores, {memory} GiB", processor()),
        format!("kernel: Linux {}", first_line("/proc/sys/kernel/osrelease")),
        format!("compiler: {}, profile bench", compiler()),
        format!("compared with: {}", peers.join(", ")),
        format!("load average in the end: {}", first_line("/proc/loadavg")),
    ]
}

/// The threads of this process.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn threads() -> Result<u64> {
    Ok(field("/proc/self/status", "Threads:").ok_or("no thread count in /proc/self/status")?)
}

/// How much memory this process has in use, in bytes.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn resident() -> Result<u64> {
    Ok(field("/proc/self/status", "VmRSS:").ok_or("no VmRSS in /proc/self/status")? * 1024)
}

/// Whether somebody else than the asking thread wants a processor at this moment.
pub fn others_running() -> bool {
    // "0.20 0.18 0.12 1/80 11206": the fourth is running/all.
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let running = text.split([' ', '/']).nth(3).and_then(|running| running.parse::<u32>().ok());
    running.is_some_and(|running| running > 1)
}

/// The processor time that this process has used.
pub fn processor_time() -> Duration {
    elapsed(rustix::time::ClockId::ProcessCPUTime)
}

/// A clock that all processes share, in nanoseconds.
pub fn monotonic() -> u64 {
    u64::try_from(elapsed(rustix::time::ClockId::Monotonic).as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that all processes share and that goes on while the machine sleeps, in nanoseconds.
pub fn boot_time() -> u64 {
    u64::try_from(elapsed(rustix::time::ClockId::Boottime).as_nanos()).unwrap_or(u64::MAX)
}

fn elapsed(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The number after a name in a file of `/proc`.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".into(), |(_, model)| model.trim().to_owned())
}

fn compiler() -> String {
    let told = Command::new("rustc").arg("--version").output();
    told.map_or_else(|_| "unknown".into(), |told| String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// The newest of a package in use: a peer may bring along an older one.
fn version(package: &str) -> &'static str {
    let begin = format!("name = \"{package}\"\nversion = \"");
    LOCK_FILE.rsplit_once(&begin).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}
