//! Another process that uses the same store, as a case sees it.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::executor::Side;
use crate::{clock::Moment, config::Settings};

/// A helper process. It is killed when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    input: ChildStdin,
    answers: UnboundedReceiver<String>,
}

impl Peer {
    /// Starts a program that calls [`serve`](super::serve).
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command, settings: &Settings, side: Side) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let gone = || io::Error::other("the helper has no pipes");
        let input = child.stdin.take().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        let (sender, answers) = unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut peer = Self { child, input, answers };
        let millis = |time: Option<std::time::Duration>| time.map_or(0, |time| time.as_millis()).to_string();
        peer.tell(&[
            "open",
            settings.prefix.as_deref().unwrap_or_default(),
            &millis(settings.ttl),
            &millis(settings.retry),
            if side == Side::Async { "async" } else { "blocking" },
        ]);
        Ok(peer)
    }

    /// Sends a command, without waiting for its answer.
    ///
    /// # Panics
    /// If the process is gone.
    pub fn tell(&mut self, command: &[&str]) {
        writeln!(self.input, "{}", command.join("\t")).expect("the helper listens");
    }

    /// The next answer, field by field; a single empty one if the process has ended.
    pub async fn answer(&mut self) -> Vec<String> {
        let line = self.answers.recv().await.unwrap_or_default();
        line.split('\t').map(ToOwned::to_owned).collect()
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Panics
    /// If the process is gone.
    pub async fn ask(&mut self, command: &[&str]) -> Vec<String> {
        self.tell(command);
        self.answer().await
    }

    /// Acquires `key` as `name` in that process, and returns the fencing token.
    ///
    /// # Panics
    /// If it was not to be had.
    pub async fn hold(&mut self, name: &str, key: &str, options: &[&str]) -> u64 {
        let answer = self.ask(&[&["acquire", name, key], options].concat()).await;
        assert_eq!(answer.first().map(String::as_str), Some("granted"), "{answer:?}");
        answer[1].parse().expect("a fencing token")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL, at once. Returns the moment before, on `CLOCK_BOOTTIME` in nanoseconds.
    ///
    /// # Panics
    /// If it is not ours to kill.
    pub fn kill(&mut self) -> u64 {
        let before = Moment::now().as_nanos();
        self.child.kill().expect("the helper can be killed");
        before
    }

    /// Stops it where it is, with SIGSTOP.
    ///
    /// # Panics
    /// If it is gone.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on, with SIGCONT.
    ///
    /// # Panics
    /// If it is gone.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the helper can be signalled");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If that cannot be waited for.
    pub fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("the helper's end can be waited for")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
