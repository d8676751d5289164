//! A program with all that it starts, in a process group of its own: Ctrl-C reaches us
//! alone, and nothing of it outlives us.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether the program has ended, or the command is to.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);
/// How long the program has to clear up after itself.
const GRACE: Duration = Duration::from_secs(5);
/// A line is cut at so many bytes.
const LONGEST: usize = 1_000;

/// The program, and whatever it has started. Nothing of it outlives this value.
///
/// The program is reaped last. Until then no other group can have its number.
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
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self { id: Pid::from_child(&child), child, reaped: false })
    }

    /// The lines of those outputs that are pipes, as they come.
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

    /// Its standard input, the first time that this is asked.
    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, the first time that this is asked, for who does not `listen`.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether the program itself has ended; not reaped by that.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.id), options), Ok(Some(_)))
    }

    /// Whether the program ends by itself while it is waited for.
    pub(crate) fn ends_by_itself(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < GRACE && !self.has_ended() {
            thread::sleep(PATIENCE);
        }
        self.has_ended()
    }

    /// Gives all of it the chance to clear up.
    pub(crate) fn ask_to_end(&self) {
        let _ = kill_process_group(self.id, Signal::TERM);
        self.ends_by_itself();
    }

    /// Ends what is left of it, and says how the program itself has ended.
    ///
    /// # Errors
    /// The kernel's.
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

/// Reads lines, also those of progress bars, which end in a carriage return.
fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(from).bytes().map_while(Result::ok) {
            if byte != b'\n' && byte != b'\r' {
                line.extend((line.len() < LONGEST).then_some(byte));
            } else if !say(&mut line, &to) {
                return;
            }
        }
        say(&mut line, &to);
    });
}

/// Hands a line over, without colours; false if nobody listens any more.
fn say(line: &mut Vec<u8>, to: &Sender<String>) -> bool {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    let text = anstream::adapter::strip_str(&text).to_string();
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim().is_empty() || to.send(text.trim().to_owned()).is_ok()
}
