//! One run of the runtime: what it says is read, and it ends when the command has to.

use super::Error;
use super::output_parser::Said;
use crate::error::Failure;
use crate::system::process_group::{Group, PATIENCE};
use crate::system::signals;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long its last words are waited for, should somebody else hold its outputs open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs the runtime to its end, and returns what it said.
///
/// # Errors
/// If it does not start, or ends with an error.
pub(super) fn run(mut command: Command, report: &dyn Fn(&str)) -> Result<Said, Error> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::start(&mut command).map_err(Error::Start)?;
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
        signals::check()?;
    }
}
