//! Programs that are asked something, with a time limit: a hung Slurm must not hang us.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use wait_timeout::ChildExt as _;

/// No answer takes that long where all is well.
const LIMIT: Duration = Duration::from_secs(10);
/// What has ended has said what it had to say.
const REST: Duration = Duration::from_secs(1);
/// More than that is no answer, in bytes.
const LONGEST: u64 = 1 << 20;

/// A program to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) program: PathBuf,
    /// What it is told that it is called, if that is something else.
    pub(crate) zeroth: Option<&'static str>,
    pub(crate) arguments: Vec<String>,
    /// Variables that are set before it starts.
    pub(crate) set: Vec<(&'static str, OsString)>,
    /// Variables that are taken out.
    pub(crate) unset: Vec<&'static str>,
}

/// What it said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// There is no such program.
    Missing,
    /// It could not be run.
    Failed(io::ErrorKind),
    /// It did not end in time.
    TooLong,
}

impl Silence {
    /// As the end of a sentence that begins with the program's name.
    pub(crate) fn said_of(self, program: &str) -> String {
        match self {
            Self::Missing => format!("{program} is not in PATH"),
            Self::Failed(kind) => format!("{program} cannot be run: {kind}"),
            Self::TooLong => format!("{program} did not answer within {} s", LIMIT.as_secs()),
        }
    }
}

/// Who runs programs; tests have another one.
pub(crate) trait Run {
    /// Runs it to its end.
    fn run(&self, call: &Call) -> Result<Answer, Silence>;
}

/// Runs them really.
#[derive(Debug)]
pub(crate) struct Processes;

impl Run for Processes {
    fn run(&self, call: &Call) -> Result<Answer, Silence> {
        let mut command = Command::new(&call.program);
        command.args(&call.arguments).envs(call.set.iter().cloned());
        for name in &call.unset {
            command.env_remove(name);
        }
        if let Some(zeroth) = call.zeroth {
            command.arg0(zeroth);
        }
        // A group of its own, to end all that it has started.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(silence)?;
        let (stdout, stderr) = (listen(child.stdout.take()), listen(child.stderr.take()));
        let Some(status) = child.wait_timeout(LIMIT).map_err(silence)? else {
            end(&mut child);
            return Err(Silence::TooLong);
        };
        Ok(Answer { success: status.success(), stdout: said(&stdout), stderr: said(&stderr) })
    }
}

fn silence(error: io::Error) -> Silence {
    match error.kind() {
        io::ErrorKind::NotFound => Silence::Missing,
        kind => Silence::Failed(kind),
    }
}

fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// Reads in a thread of its own, so that no pipe fills up.
fn listen(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = pipe.take(LONGEST);
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut bytes) {
            let said = bytes.get(..length).unwrap_or_default().to_vec();
            if sender.send(said).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What was read until the pipe's end. What a program has left in the background, as
/// profiles do, may hold the pipe open for ever: it is not waited for.
fn said(pipe: &Receiver<Vec<u8>>) -> String {
    let end = Instant::now() + REST;
    let mut bytes = Vec::new();
    while let Ok(more) = pipe.recv_timeout(end.saturating_duration_since(Instant::now())) {
        bytes.extend(more);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Call, Duration, Instant, Processes, Run as _, Silence};

    fn call(program: &str, arguments: &[&str]) -> Call {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Call { program: program.into(), arguments, ..Call::default() }
    }

    #[test]
    fn what_a_program_says() {
        let answer = Processes.run(&call("sh", &["-c", "echo a; echo b >&2; exit 3"])).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("a\n", "b\n"));
        assert!(!answer.success);
        assert_eq!(Processes.run(&call("/no/such", &[])).unwrap_err(), Silence::Missing);
    }

    #[test]
    fn what_stays_in_the_background() {
        let start = Instant::now();
        let answer = Processes.run(&call("sh", &["-c", "sleep 20 & echo a"])).unwrap();
        assert_eq!((answer.success, answer.stdout.as_str()), (true, "a\n"));
        assert!(start.elapsed() < Duration::from_secs(15), "it is not waited for");
    }

    #[test]
    fn another_environment_and_name() {
        let mut call = call("sh", &["-c", "echo $0 $A ${HOME-none}"]);
        call.zeroth = Some("-sh");
        call.set.push(("A", "b".into()));
        call.unset.push("HOME");
        assert_eq!(Processes.run(&call).unwrap().stdout.trim_end(), "-sh b none");
    }
}
