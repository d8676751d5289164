//! Work in a helper process: this command, called again with a hidden subcommand.
//!
//! A process that is blocked on a hung file server may be in uninterruptible sleep (state D), where
//! no signal ends it. Even a single thread in this state keeps its whole process from exiting. A
//! helper process can be abandoned instead. An empty line marks the end of its output, because the
//! process itself may never end.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// For this long, a root that did not answer counts as silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a helper process gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It could not be started, or ended without an answer. This says nothing about a file server.
    Failed,
    /// It did not answer within the limit.
    TimedOut,
}

/// The lines that this command prints with these arguments.
///
/// # Errors
/// The output is not complete within the limit, or the command cannot be run.
pub(crate) fn lines<A: AsRef<OsStr>>(
    arguments: &[A],
    limit: Duration,
) -> Result<Vec<String>, NoAnswer> {
    let mut command = Command::new(env::current_exe().map_err(|_| NoAnswer::Failed)?);
    command.args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|_| NoAnswer::Failed)?;
    let stdout = BufReader::new(child.stdout.take().ok_or(NoAnswer::Failed)?);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = Vec::new();
        for line in stdout.lines().map_while(Result::ok) {
            if line.is_empty() {
                return sender.send(lines);
            }
            lines.push(line);
        }
        Ok(())
    });
    let lines = receiver.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => NoAnswer::TimedOut,
        RecvTimeoutError::Disconnected => NoAnswer::Failed,
    });
    // Not `wait`, which would block if the process is in uninterruptible sleep.
    let _ = child.kill();
    let _ = child.try_wait();
    lines
}

/// Whether an image root answers within the limit. A thread of this process that is blocked on the
/// root could keep the process from exiting.
///
/// A root that did not answer is not asked again for a minute, so that a command waits for it only
/// once.
pub(crate) fn root_answers(root: &Path, limit: Duration) -> bool {
    static SILENT: Mutex<BTreeMap<PathBuf, Instant>> = Mutex::new(BTreeMap::new());
    let silent = || SILENT.lock().unwrap_or_else(PoisonError::into_inner);
    if silent().get(root).is_some_and(|since| since.elapsed() < SILENCE) {
        return false;
    }
    let answers = lines(&[OsStr::new("probe"), root.as_os_str()], limit) != Err(NoAnswer::TimedOut);
    match answers {
        true => silent().remove(root),
        false => silent().insert(root.to_owned(), Instant::now()),
    };
    answers
}

/// Prints the lines of a helper process, and the empty line that ends its output. A closed pipe is
/// not an error.
pub(crate) fn answer(lines: &[&String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let _ = io::stdout().write_all((text + "\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::root_answers;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn a_silent_root_is_asked_once() {
        let [silent, other] = ["/no/such/root", "/no/other/root"].map(Path::new);
        assert!(!root_answers(silent, Duration::ZERO));
        assert!(!root_answers(silent, Duration::from_secs(60)));
        assert!(root_answers(other, Duration::from_secs(60)), "an absent root answers");
    }
}
