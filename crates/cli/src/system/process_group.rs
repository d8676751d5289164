//! Runs a program, and all processes that it starts, in a process group of their own. Ctrl-C then
//! reaches only this command, and no process of the group outlives this command.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Interval for checking whether the program has ended, or the command should stop.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long to wait for the program to clean up and exit.
const GRACE: Duration = Duration::from_secs(5);
/// Maximum length of a line in bytes; the rest is dropped.
const LONGEST: usize = 1_000;

/// The program and all processes that it has started. None of them outlives this value.
///
/// The program is reaped last. Until then, its process group ID cannot be reused.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    id: Pid,
    reaped: bool,
}

impl Group {
    /// Starts the program.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self { id: Pid::from_child(&child), child, reaped: false })
    }

    /// The lines of standard output and standard error as they arrive, if these are pipes.
    pub(crate) fn listen(&mut self) -> Receiver<String> {
        let (sender, lines) = channel();
        if let Some(stdout) = self.child.stdout.take() {
            listen(stdout, sender.clone());
        }
        if let Some(stderr) = self.child.stderr.take() {
            listen(stderr, sender);
        }
        lines
    }

    /// The program's standard input; returned only once.
    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The program's standard output, for callers that do not read it with `listen`; returned only
    /// once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether the program itself has ended. This does not reap it.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.id), options), Ok(Some(_)))
    }

    /// Waits up to [`GRACE`] for the program to exit, and returns whether it has.
    pub(crate) fn wait_for_exit(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < GRACE && !self.has_ended() {
            thread::sleep(POLL_INTERVAL);
        }
        self.has_ended()
    }

    /// Sends SIGTERM to the group, and waits up to [`GRACE`] for the program to exit.
    pub(crate) fn terminate(&self) {
        let _ = kill_process_group(self.id, Signal::TERM);
        self.wait_for_exit();
    }

    /// Kills the remaining processes of the group, and returns the exit status of the program.
    ///
    /// # Errors
    /// waitpid(2) failed.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(self.id, Signal::KILL);
        self.reaped = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.end();
        }
    }
}

/// Reads lines, including those of progress bars, which end with a carriage return.
fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(from).bytes().map_while(Result::ok) {
            if byte != b'\n' && byte != b'\r' {
                line.extend((line.len() < LONGEST).then_some(byte));
            } else if !send_line(&mut line, &to) {
                return;
            }
        }
        send_line(&mut line, &to);
    });
}

/// Sends a line without styles. Returns false if the receiver was dropped.
fn send_line(line: &mut Vec<u8>, to: &Sender<String>) -> bool {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    let text = anstream::adapter::strip_str(&text).to_string();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim().is_empty() || to.send(text.trim().to_owned()).is_ok()
}
