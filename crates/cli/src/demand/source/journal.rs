//! The journal, read with journalctl, which is started again if it ends.

use super::batch::{Batch, Origin};
use super::cursor::{self, Position};
use super::file_log;
use super::stdin::{State, Stream};
use crate::events::logs::journal::{self, Start};
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

/// The time until journalctl is started again: at first, and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// Without following, journalctl is started again this often.
const TRIES: u64 = 3;
/// The longest run of a journalctl without new entries. A new process notices entries that the old one
/// missed, for example because no inotify watches were left.
const LONGEST: Duration = Duration::from_secs(600);

/// The journal of this host, or the journal files in a directory.
#[derive(Debug)]
pub(super) struct Journal {
    directory: Option<PathBuf>,
    follow: bool,
    /// The last entry that was read.
    entry: Option<String>,
    /// Everything before this time has been read.
    from: Timestamp,
    running: Option<Running>,
    next_start: Instant,
    back_off: Duration,
    failures: u64,
    ended: bool,
    problem: Option<String>,
}

/// A running journalctl.
#[derive(Debug)]
struct Running {
    child: Child,
    stream: Stream<ChildStdout>,
    begun: Instant,
    /// The entry that has been read before, which is the first one if it still exists.
    first: Option<String>,
    has_entries: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        journal::end(&mut self.child);
    }
}

impl Journal {
    /// The journal of this host, or the journal files in a directory, from a saved position or from
    /// `since` on.
    ///
    /// # Errors
    /// journalctl cannot be started, or this user can read only a part of the journal.
    pub(super) fn open(
        directory: Option<&Path>,
        saved: Option<&Position>,
        since: Timestamp,
        follow: bool,
    ) -> io::Result<Self> {
        if directory.is_none() && !journal::is_whole() {
            let advice = "this user can read only a part of it: run this as root or as a member \
                          of the group systemd-journal";
            return Err(io::Error::other(advice));
        }
        let mut journal = Self {
            directory: directory.map(Path::to_owned),
            follow,
            entry: saved.and_then(|saved| saved.entry.clone()),
            from: saved.map_or(since, |saved| saved.from.min(cursor::safe(Timestamp::now()))),
            running: None,
            next_start: Instant::now(),
            back_off: Duration::ZERO,
            failures: 0,
            ended: false,
            problem: None,
        };
        journal.running = Some(journal.start()?);
        Ok(journal)
    }

    /// The journal's name in a cursor.
    pub(super) fn name(&self) -> String {
        name(self.directory.as_deref())
    }

    /// The position after everything that was read.
    pub(super) fn position(&self) -> Position {
        let (log, from, entry) = (self.name(), self.from, self.entry.clone());
        Position { log, from, files: Vec::new(), closed: Vec::new(), entry }
    }

    /// The current problem, if there is one.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("{}: {problem}", self.name()))
    }

    /// Whether the end has been reached.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What to wait for; `None` if journalctl is to be started at a later time.
    pub(super) fn waits_for(&self) -> Option<PollFd<'_>> {
        let running = self.running.as_ref()?;
        Some(PollFd::new(&running.stream.reader, PollFlags::IN))
    }

    fn start(&self) -> io::Result<Running> {
        let start = match &self.entry {
            Some(entry) => Start::Entry(entry),
            None => Start::Since(self.from),
        };
        let (child, stdout) = journal::start(self.directory.as_deref(), start, self.follow)?;
        let (first, stream) = (self.entry.clone(), Stream::new(stdout));
        Ok(Running { child, stream, begun: Instant::now(), first, has_entries: false })
    }

    /// Reads the available entries. Returns whether the present end was reached.
    ///
    /// # Errors
    /// journalctl fails, and the journal is not followed.
    pub(super) fn read(&mut self, batch: &mut Batch<'_>) -> io::Result<bool> {
        if self.ended || (self.running.is_none() && Instant::now() < self.next_start) {
            return Ok(true);
        }
        let mut running = match self.running.take().map_or_else(|| self.start(), Ok) {
            Ok(running) => running,
            Err(error) => return self.fail(batch, error).map(|()| true),
        };
        match self.entries(&mut running, batch) {
            Ok(State::Ended) => self.finish(running, batch)?,
            Ok(state) => {
                let is_old = running.begun.elapsed() > LONGEST;
                if state == State::Full || !self.follow || !is_old {
                    self.running = Some(running);
                }
                if state == State::Empty && self.follow {
                    self.from = cursor::safe(Timestamp::now());
                }
                return Ok(state == State::Empty);
            }
            Err(error) => self.fail(batch, error)?,
        }
        Ok(true)
    }

    /// Reads what journalctl has written.
    fn entries(&mut self, running: &mut Running, batch: &mut Batch<'_>) -> io::Result<State> {
        let origin = Origin { is_journal: self.directory.is_none(), not_before: Timestamp::MIN };
        let Running { stream, first, has_entries, .. } = running;
        let last = &mut self.entry;
        let state = stream.read(batch, &mut |batch, line| {
            *has_entries = true;
            let expected = first.take();
            if expected.is_some() && miss_cursor(line) == expected {
                return;
            }
            batch.counters.gaps += u64::from(expected.is_some());
            if let Some(entry) = batch.line(line, origin) {
                *last = Some(entry);
            }
        })?;
        if *has_entries {
            (self.problem, self.back_off) = (None, Duration::ZERO);
            // Without following, a journal that always fails after some entries has to end.
            if self.follow {
                self.failures = 0;
            }
        }
        Ok(state)
    }

    /// journalctl has ended.
    fn finish(&mut self, mut running: Running, batch: &mut Batch<'_>) -> io::Result<()> {
        let status = running.child.wait()?;
        if status.success() && !self.follow {
            self.ended = true;
            self.from = cursor::safe(Timestamp::now());
            return Ok(());
        }
        if !status.success() && !running.has_entries && self.entry.take().is_some() {
            // journalctl refuses a cursor in another form, for example of another release.
            batch.counters.gaps += 1;
        }
        self.fail(batch, io::Error::other(format!("journalctl ended with {status}")))
    }

    /// Starts journalctl again later.
    fn fail(&mut self, batch: &mut Batch<'_>, error: io::Error) -> io::Result<()> {
        let [first, longest] = BACK_OFF;
        self.failures += 1;
        if !self.follow && self.failures >= TRIES {
            return Err(error);
        }
        batch.counters.restarts += 1;
        self.back_off = (self.back_off * 2).clamp(first, longest);
        self.next_start = Instant::now() + self.back_off;
        self.problem = Some(format!("{error}; it is started again"));
        Ok(())
    }
}

/// Whether journalctl finds files in this directory: in it, or in that of a machine below it.
pub(super) fn has_files(directory: &Path) -> bool {
    let files = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let is_journal = |entry: &DirEntry| {
        entry.path().extension().is_some_and(|end| end == "journal" || end == "journal~")
    };
    files(directory)
        .any(|entry| is_journal(&entry) || files(&entry.path()).any(|entry| is_journal(&entry)))
}

/// The place of an entry in the journal.
fn miss_cursor(line: &[u8]) -> Option<String> {
    crate::events::logs::miss::read(line, Timestamp::UNIX_EPOCH).cursor
}

/// The name of a journal in cursors and messages.
pub(super) fn name(directory: Option<&Path>) -> String {
    match directory {
        None => "journal".to_owned(),
        Some(directory) => format!("journal {}", file_log::name(directory)),
    }
}

#[cfg(test)]
mod tests;
