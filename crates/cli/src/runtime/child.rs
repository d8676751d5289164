//! One run of the runtime: what it says is read, and it ends when the command has to.

use super::Error;
use super::said::Said;
use crate::failure::Failure;
use crate::stop;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether the runtime has ended, or the command is to.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the runtime has to clear up after itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long its last words are waited for, should somebody else hold its outputs open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A line is cut at so many bytes.
const LONGEST: usize = 1_000;

/// Runs the runtime to its end, and returns what it said.
///
/// # Errors
/// If it does not start, or ends with an error.
pub(super) fn run(mut command: Command, report: &dyn Fn(&str)) -> Result<Said, Error> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::start(command).map_err(Error::Start)?;
    let lines = group.listen();
    let mut said = Said::default();
    if let Err(failure) = follow(&group, &lines, &mut said, report) {
        group.ask_to_end();
        return Err(Error::Stopped(failure));
    }
    let status = group.end().map_err(Error::Start)?;
    let begun = Instant::now();
    while begun.elapsed() < LAST_WORDS
        && let Ok(line) = lines.recv_timeout(LAST_WORDS)
    {
        said.hear(line);
    }
    if status.success() { Ok(said) } else { Err(Error::Ended { status, said }) }
}

/// Listens until the runtime has ended.
fn follow(
    group: &Group,
    lines: &Receiver<String>,
    said: &mut Said,
    report: &dyn Fn(&str),
) -> Result<(), Failure> {
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => report(said.hear(line)),
            Err(_) if group.has_ended() => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            // It goes on in silence.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(PATIENCE),
        }
        stop::check()?;
    }
}

/// The runtime with all that it has started, in a process group of its own: Ctrl-C reaches
/// us alone. Nothing of it outlives this value.
///
/// The runtime is reaped last. Until then no other group can have its number.
struct Group {
    child: Child,
    id: Pid,
    reaped: bool,
}

impl Group {
    fn start(mut command: Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self { id: Pid::from_child(&child), child, reaped: false })
    }

    /// The lines of both outputs as they come.
    fn listen(&mut self) -> Receiver<String> {
        let (sender, lines) = channel();
        if let Some(stdout) = self.child.stdout.take() {
            listen(stdout, sender.clone());
        }
        if let Some(stderr) = self.child.stderr.take() {
            listen(stderr, sender);
        }
        lines
    }

    /// Whether the runtime itself has; not reaped by that.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.id), options), Ok(Some(_)))
    }

    /// Gives all of it the chance to clear up.
    fn ask_to_end(&self) {
        let _ = kill_process_group(self.id, Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < GRACE && !self.has_ended() {
            thread::sleep(PATIENCE);
        }
    }

    /// Ends what is left of it, and says how the runtime itself has ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
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
