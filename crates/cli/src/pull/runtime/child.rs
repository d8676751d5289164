//! Runs the runtime once: reads its output and stops it when the command must end.

use super::Error;
use super::output_parser::LastLines;
use crate::error::Failure;
use crate::system::process_group::{Group, POLL_INTERVAL};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for the remaining output after the runtime has exited, in case another
/// process holds its outputs open.
const REMAINING_OUTPUT: Duration = Duration::from_secs(1);

/// The first pause after the runtime has closed its outputs, which it usually does by exiting. The
/// next ones double up to [`POLL_INTERVAL`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Runs the runtime until it exits, and returns its output.
///
/// # Errors
/// The runtime does not start or exits with an error, or `check`, which is called several
/// times a second, fails.
pub(super) fn run(
    mut command: Command,
    report: &dyn Fn(&str),
    check: &dyn Fn() -> Result<(), Failure>,
) -> Result<LastLines, Error> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::start(&mut command).map_err(Error::Start)?;
    let lines = group.listen();
    let mut output = LastLines::default();
    if let Err(failure) = follow(&group, &lines, &mut output, report, check) {
        group.terminate();
        return Err(Error::Stopped(failure));
    }
    let status = group.end().map_err(Error::Start)?;
    let begun = Instant::now();
    while begun.elapsed() < REMAINING_OUTPUT
        && let Ok(line) = lines.recv_timeout(REMAINING_OUTPUT)
    {
        output.add(line);
    }
    if status.success() { Ok(output) } else { Err(Error::Ended { status, output }) }
}

/// Reads the output until the runtime has exited.
fn follow(
    group: &Group,
    lines: &Receiver<String>,
    output: &mut LastLines,
    report: &dyn Fn(&str),
    check: &dyn Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        match lines.recv_timeout(POLL_INTERVAL) {
            Ok(line) => report(output.add(line)),
            Err(_) if group.has_ended() => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            // The runtime has closed its outputs but is still running.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(pause);
                pause = POLL_INTERVAL.min(pause * 2);
            }
        }
        check()?;
    }
}
