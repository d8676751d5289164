//! One run of the runtime: what it says is read, and it ends when the command has to.

use super::Error;
use crate::stop;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether the command is to end.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the runtime has to clear up after itself.
const GRACE: Duration = Duration::from_secs(5);
/// So many of the last lines are kept, each cut at so many bytes.
const LINES: usize = 40;
const LONGEST: usize = 1_000;

/// Runs the runtime to its end, and returns what it said.
///
/// # Errors
/// If it does not start, or ends with an error.
pub(super) fn run(mut command: Command, report: &dyn Fn(&str)) -> Result<String, Error> {
    // A group of its own: Ctrl-C reaches us alone, and we end all that it has started.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::Start)?;
    let (sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        listen(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        listen(stderr, sender);
    }
    let mut said = Vec::new();
    let listened = hear(&lines, &mut said, report);
    if let Err(failure) = listened {
        end(&mut child);
        return Err(Error::Stopped(failure));
    }
    let status = child.wait().map_err(Error::Start)?;
    match status.success() {
        true => Ok(said.join("\n")),
        false => Err(Error::Ended { last: last(&said, status), output: said.join("\n") }),
    }
}

/// Listens until the runtime has closed both of its outputs.
fn hear(
    lines: &Receiver<String>,
    said: &mut Vec<String>,
    report: &dyn Fn(&str),
) -> Result<(), crate::failure::Failure> {
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                report(message(&line));
                said.push(line);
                said.drain(..said.len().saturating_sub(LINES));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        stop::check()?;
    }
}

/// Reads lines, also those of progress bars, which end in a carriage return.
fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(from).bytes().map_while(Result::ok) {
            if byte != b'\n' && byte != b'\r' {
                line.extend((line.len() < LONGEST).then_some(byte));
                continue;
            }
            if !say(&mut line, &to) {
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

/// Ends the runtime and all that it has started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    let _ = signal(Signal::TERM);
    let begun = Instant::now();
    while begun.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(PATIENCE);
    }
    let _ = signal(Signal::KILL);
    let _ = child.wait();
}

/// The line that says why: the last that the runtime calls fatal, else the last at all.
fn last(said: &[String], status: ExitStatus) -> String {
    let fatal = said.iter().rev().find(|line| line.contains("FATAL"));
    match fatal.or(said.last()) {
        Some(line) => message(line).to_owned(),
        None => format!("it ended with {status} and no message"),
    }
}

/// A line of the runtime without its level: `FATAL:   `, `INFO:    `.
fn message(line: &str) -> &str {
    let level = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase());
    match line.split_once(':') {
        Some((word, rest)) if level(word) => rest.trim_start(),
        _ => line,
    }
}
