//! Runs short commands with a time limit, because a hung Slurm command must not block this one.

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

/// Time limit for a program; a program that works properly is much faster.
const LIMIT: Duration = Duration::from_secs(10);
/// Time limit for reading the remaining output of a program that has ended.
const REST: Duration = Duration::from_secs(1);
/// Maximum length of an output in bytes; the rest is not read.
const LONGEST: u64 = 1 << 20;

/// A program to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// A path, or a name to search for in `PATH`.
    pub(crate) program: PathBuf,
    /// `argv[0]`, if it differs from the program.
    pub(crate) zeroth: Option<&'static str>,
    pub(crate) arguments: Vec<String>,
    /// Environment variables to set.
    pub(crate) set: Vec<(&'static str, OsString)>,
    /// Environment variables to remove.
    pub(crate) unset: Vec<&'static str>,
}

/// The output of a program, and whether it succeeded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Whether the exit status is 0.
    pub(crate) success: bool,
    /// At most [`LONGEST`] bytes; invalid UTF-8 becomes U+FFFD. The same holds for `stderr`.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Why a program has no output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunError {
    /// There is no such program.
    Missing,
    /// The program could not be run.
    Failed(io::ErrorKind),
    /// The program did not end in time.
    Timeout,
}

impl RunError {
    /// The reason as a message that begins with the program's name.
    pub(crate) fn describe(self, program: &str) -> String {
        match self {
            Self::Missing => format!("{program} is not in PATH"),
            Self::Failed(kind) => format!("{program} cannot be run: {kind}"),
            Self::Timeout => format!("{program} did not answer within {} s", LIMIT.as_secs()),
        }
    }
}

/// Runs programs; tests use another implementation.
pub(crate) trait Run {
    /// Runs a program and waits for its end.
    ///
    /// # Errors
    /// The program cannot be run, or does not end in time.
    fn run(&self, call: &Call) -> Result<Answer, RunError>;
}

/// Runs real processes.
#[derive(Debug)]
pub(crate) struct Processes;

impl Run for Processes {
    fn run(&self, call: &Call) -> Result<Answer, RunError> {
        let mut command = Command::new(&call.program);
        command.args(&call.arguments).envs(call.set.iter().cloned());
        for name in &call.unset {
            command.env_remove(name);
        }
        if let Some(zeroth) = call.zeroth {
            command.arg0(zeroth);
        }
        // A separate process group, so that all processes started by it can be ended.
        command.process_group(0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(run_error)?;
        let (stdout, stderr) = (listen(child.stdout.take()), listen(child.stderr.take()));
        let Some(status) = child.wait_timeout(LIMIT).map_err(run_error)? else {
            end(&mut child);
            return Err(RunError::Timeout);
        };
        Ok(Answer {
            success: status.success(),
            stdout: output_of(&stdout),
            stderr: output_of(&stderr),
        })
    }
}

fn run_error(error: io::Error) -> RunError {
    match error.kind() {
        io::ErrorKind::NotFound => RunError::Missing,
        kind => RunError::Failed(kind),
    }
}

fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// Reads the pipe in a separate thread, so that it does not fill up.
fn listen(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        let mut pipe = pipe.take(LONGEST);
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut bytes) {
            let chunk = bytes.get(..length).unwrap_or_default().to_vec();
            if sender.send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The output up to the end of the pipe. A background process that the program has started, for
/// example from a shell profile, may keep the pipe open forever, so the wait is limited.
fn output_of(pipe: &Receiver<Vec<u8>>) -> String {
    let end = Instant::now() + REST;
    let mut bytes = Vec::new();
    while let Ok(more) = pipe.recv_timeout(end.saturating_duration_since(Instant::now())) {
        bytes.extend(more);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Call, Duration, Instant, Processes, Run as _, RunError};

    fn call(program: &str, arguments: &[&str]) -> Call {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Call { program: program.into(), arguments, ..Call::default() }
    }

    #[test]
    fn output_and_status_are_returned() {
        let answer = Processes.run(&call("sh", &["-c", "echo a; echo b >&2; exit 3"])).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("a\n", "b\n"));
        assert!(!answer.success);
        assert_eq!(Processes.run(&call("/no/such", &[])).unwrap_err(), RunError::Missing);
    }

    #[test]
    fn a_background_process_is_not_waited_for() {
        let start = Instant::now();
        let answer = Processes.run(&call("sh", &["-c", "sleep 20 & echo $!"])).unwrap();
        assert!(start.elapsed() < Duration::from_secs(15), "it is not waited for");
        let ended = Processes.run(&call("kill", &[answer.stdout.trim()])).unwrap();
        assert!(answer.success && ended.success, "{answer:?} {ended:?}");
    }

    #[test]
    fn environment_and_argv0_are_set() {
        let mut call = call("sh", &["-c", "echo $0 $A ${HOME-none}"]);
        call.zeroth = Some("-sh");
        call.set.push(("A", "b".into()));
        call.unset.push("HOME");
        assert_eq!(Processes.run(&call).unwrap().stdout.trim_end(), "-sh b none");
    }
}
