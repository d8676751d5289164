//! Requests for images, from the log that has the lines of all nodes.
//!
//! The plugin and the shim write a line for each miss. A [`Source`] reads such lines from the
//! journal, from files or from standard input, and returns them as requests. It never loses a line
//! that is still in the log: after a restart, it continues at a [`Cursor`], and reads rotated files as
//! far back as necessary. Lines can be repeated.
//!
//! docs/on-demand.md describes for each kind of log whose requests have a known user, and which events
//! lose lines.

mod batch;
mod cursor;
mod file_log;
mod generation;
mod journal;
mod lines;
mod open_file;
mod stdin;
mod verdict;

pub(crate) use cursor::Cursor;

use crate::demand::request::Request;
use crate::error::Failure;
use crate::events::logs::journal as host_journal;
use crate::events::logs::launch::Launch;
use crate::events::logs::source::FILES;
use crate::system::signals;
use batch::Batch;
use file_log::FileLog;
use jiff::Timestamp;
use journal::Journal;
use rustix::event::{PollFd, Timespec, poll};
use serde::Serialize;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use stdin::Stdin;
use verdict::{Verdict, failure};

/// The number of bytes that one call reads from all logs.
const BYTES: u64 = 8 << 20;
/// The longest sleep if a log has to be checked at intervals. It delays jobs that wait.
const INTERVAL: Duration = Duration::from_millis(50);

/// The longest sleep if only journalctl has to be watched.
const PAUSE: Duration = Duration::from_secs(1);

/// Numbers for a report, since the source was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counters {
    /// Lines of all programs.
    pub(crate) lines: u64,
    /// Lines with a request. Several can be one request in a batch.
    pub(crate) requests: u64,
    /// Lines with our name that the plugin would not write, or that another user sent.
    pub(crate) forged: u64,
    /// Lines that seem to be requests, but are truncated or have an unknown form.
    pub(crate) unread: u64,
    /// How often lines may have been lost, because a log was truncated or removed before it was
    /// read, or a file of it cannot be read.
    pub(crate) gaps: u64,
    /// How often journalctl was started again.
    pub(crate) restarts: u64,
}

impl Counters {
    /// A message for the admin about problems with the lines, if there are any.
    pub(crate) fn remark(&self) -> Option<String> {
        let numbers = [
            (self.forged, "forged lines"),
            (self.unread, "lines that cannot be read"),
            (self.gaps, "gaps, in which lines may be lost"),
        ];
        let found = numbers.iter().filter(|(count, _)| *count > 0);
        let found: Vec<String> = found.map(|(count, what)| format!("{count} {what}")).collect();
        (!found.is_empty()).then(|| format!("the logs have {}", found.join(", ")))
    }
}

/// Logs that are read for requests.
pub(crate) struct Source {
    logs: Vec<Log>,
    counters: Counters,
    /// The log that is read first in the next call.
    turn: usize,
}

/// One log.
enum Log {
    Files(Box<FileLog>),
    Journal(Journal),
    Stdin(Stdin<io::Stdin>),
}

impl Source {
    /// Opens logs: files, directories with journal files, or `-` for standard input. Without any,
    /// the log of this host: its journal, else `/var/log/syslog` or `/var/log/messages`.
    ///
    /// `saved` is where to go on. Logs that it does not have begin at `since`. With `follow`, the
    /// logs never end, except for standard input, and a file may be missing at first.
    ///
    /// # Errors
    /// A log cannot be read, or this host has none.
    pub(crate) fn open(
        logs: &[PathBuf],
        saved: Option<&Cursor>,
        since: Timestamp,
        follow: bool,
    ) -> Result<Self, Failure> {
        let mut source = Self { logs: Vec::new(), counters: Counters::default(), turn: 0 };
        let mut names: Vec<String> = Vec::new();
        let files = match logs.is_empty() {
            false => logs.to_vec(),
            true => match default_log()? {
                Some(file) => vec![file],
                None => {
                    source.logs.push(Log::journal(None, saved, since, follow)?);
                    return Ok(source);
                }
            },
        };
        for path in files {
            let name = file_log::name(&path);
            if !names.contains(&name) {
                source.logs.push(Log::open(&path, saved, since, follow)?);
                names.push(name);
            }
        }
        Ok(source)
    }

    /// The requests that have arrived since the last call, at most `most`. If there are none, it
    /// waits up to `wait` for some; it also returns without any after it has read many lines, or
    /// after a signal. `None` means that all logs have ended.
    ///
    /// # Errors
    /// A log that is not followed cannot be read.
    pub(crate) fn next(
        &mut self,
        most: usize,
        wait: Duration,
    ) -> Result<Option<Vec<Request>>, Failure> {
        let deadline = Instant::now() + wait;
        loop {
            let mut batch = Batch::new(&mut self.counters);
            let count = self.logs.len().max(1);
            let bytes = BYTES / u64::try_from(count).unwrap_or(BYTES);
            let mut is_complete = true;
            // A log with many lines must not delay the others.
            self.turn = (self.turn + 1) % count;
            let turn = self.turn.min(self.logs.len());
            let (later, first) = self.logs.split_at_mut(turn);
            for log in first.iter_mut().chain(later) {
                batch.allow((most / count).max(1), bytes.max(1), most);
                is_complete &= log.read(&mut batch)?;
            }
            let requests = batch.finish();
            if requests.is_empty() && is_complete && self.logs.iter().all(Log::has_ended) {
                return Ok(None);
            }
            let is_over = Instant::now() >= deadline;
            if !requests.is_empty() || !is_complete || is_over || !self.sleep(deadline) {
                return Ok(Some(requests));
            }
        }
    }

    /// Passes on every hit and every miss that has arrived since the last call, up to the present end
    /// of the logs, which are not followed.
    ///
    /// # Errors
    /// A log cannot be read, or a signal asked the command to end.
    pub(crate) fn launches(&mut self, take: &mut dyn FnMut(Launch)) -> Result<(), Failure> {
        loop {
            let mut batch = Batch::of_launches(&mut self.counters, take);
            let mut is_complete = true;
            for log in &mut self.logs {
                batch.allow(usize::MAX, BYTES, usize::MAX);
                is_complete &= log.read(&mut batch)?;
            }
            signals::check()?;
            if is_complete && self.logs.iter().all(Log::has_ended) {
                return Ok(());
            }
            if is_complete {
                self.sleep(Instant::now() + PAUSE);
            }
        }
    }

    /// Sleeps until a log may have new lines, at most until the deadline. Returns false after a
    /// signal.
    fn sleep(&self, deadline: Instant) -> bool {
        let mut streams: Vec<PollFd<'_>> = self.logs.iter().filter_map(Log::waits_for).collect();
        let rest = deadline.saturating_duration_since(Instant::now());
        let is_polled = self.logs.iter().any(Log::is_polled);
        let rest = if is_polled { rest.min(INTERVAL) } else { rest };
        let timeout = Timespec::try_from(rest).ok();
        poll(&mut streams, timeout.as_ref()).is_ok()
    }

    /// The position from which to continue after a restart. All requests that `next` has returned so far
    /// are before it.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor::new(self.logs.iter().filter_map(Log::position).collect())
    }

    /// Numbers for a report.
    pub(crate) fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Remarks about logs without any line, after all logs have ended.
    ///
    /// # Errors
    /// None of the logs is one.
    pub(crate) fn remarks(&self) -> Result<Vec<String>, Failure> {
        let verdicts: Vec<_> = self.logs.iter().map(Log::verdict).collect();
        verdict::remarks(&verdicts)
    }

    /// The current problems with the logs, for example that a file does not exist. Reading is retried.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.logs.iter().filter_map(Log::problem).collect()
    }
}

impl Log {
    fn open(
        path: &Path,
        saved: Option<&Cursor>,
        since: Timestamp,
        follow: bool,
    ) -> Result<Self, Failure> {
        if path.as_os_str() == stdin::NAME {
            return Ok(Self::Stdin(Stdin::new(io::stdin())));
        }
        let name = file_log::name(path);
        if path.is_dir() {
            // The files of a log that is followed may appear later.
            if !follow && !journal::has_files(path) {
                let why = "the directory has no journal files; name the log itself";
                return Err(Failure::NotALog(vec![format!("{name}: {why}")]));
            }
            return Self::journal(Some(path), saved, since, follow);
        }
        let saved = saved.and_then(|saved| saved.of(&name));
        let log = FileLog::open(path, saved, since, follow);
        Ok(Self::Files(Box::new(log.map_err(|error| failure(name, error))?)))
    }

    fn journal(
        directory: Option<&Path>,
        saved: Option<&Cursor>,
        since: Timestamp,
        follow: bool,
    ) -> Result<Self, Failure> {
        let name = journal::name(directory);
        let saved = saved.and_then(|saved| saved.of(&name));
        let journal = Journal::open(directory, saved, since, follow);
        Ok(Self::Journal(journal.map_err(|error| failure(name, error))?))
    }

    /// Continues to read. Returns whether the present end was reached.
    fn read(&mut self, batch: &mut Batch<'_>) -> Result<bool, Failure> {
        match self {
            Self::Files(log) => log.read(batch).map_err(|error| failure(log.name(), error)),
            Self::Journal(log) => log.read(batch).map_err(|error| failure(log.name(), error)),
            Self::Stdin(log) => {
                log.read(batch).map_err(|error| failure(stdin::TEXT.to_owned(), error))
            }
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Files(log) => log.has_ended(),
            Self::Journal(log) => log.has_ended(),
            Self::Stdin(log) => log.has_ended(),
        }
    }

    fn waits_for(&self) -> Option<PollFd<'_>> {
        match self {
            Self::Files(_) => None,
            Self::Journal(log) => log.waits_for(),
            Self::Stdin(log) => log.waits_for(),
        }
    }

    /// Whether no descriptor signals new lines, so that the log has to be checked at intervals.
    fn is_polled(&self) -> bool {
        !self.has_ended() && self.waits_for().is_none()
    }

    fn position(&self) -> Option<cursor::Position> {
        match self {
            Self::Files(log) => Some(log.position()),
            Self::Journal(log) => Some(log.position()),
            Self::Stdin(_) => None,
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::Files(log) => log.problem(),
            Self::Journal(log) => log.problem(),
            Self::Stdin(_) => None,
        }
    }

    /// Its name, and whether it is a log.
    fn verdict(&self) -> (String, Verdict) {
        match self {
            Self::Files(log) => (log.name(), log.verdict()),
            Self::Journal(log) => (log.name(), Verdict::Log),
            Self::Stdin(log) => (stdin::TEXT.to_owned(), log.verdict()),
        }
    }
}

/// The name of this log in a cursor. Two paths of one log have the same name.
pub(crate) fn name(log: &Path) -> String {
    match log.is_dir() {
        true => journal::name(Some(log)),
        false => file_log::name(log),
    }
}

/// The name of the journal of this host in a cursor.
pub(crate) fn journal_name() -> String {
    journal::name(None)
}

/// Whether `one` is a file that logrotate has made of `log`, which is then read with it.
pub(crate) fn is_rotated_from(one: &Path, log: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let (Some(one), Some(log)) = (absolute(one), absolute(log)) else { return false };
    let names = name(&one).zip(name(&log));
    one.parent() == log.parent()
        && names.is_some_and(|(one, log)| generation::is_rotated(&one, &log))
}

/// The logs of this host that are read by default: its journal, or a file.
///
/// # Errors
/// It has none that this user can read.
pub(crate) fn default_log() -> Result<Option<PathBuf>, Failure> {
    if host_journal::first_line().is_some() {
        return Ok(None);
    }
    let mut all = FILES.iter().map(PathBuf::from);
    all.find(|file| File::open(file).is_ok()).ok_or(Failure::NoLog).map(Some)
}

#[cfg(test)]
mod tests;
