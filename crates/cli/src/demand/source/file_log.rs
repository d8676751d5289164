//! A log in files: the one into which a syslog daemon writes, and those that logrotate makes of it.
//!
//! The log is checked at intervals; there are no notifications for files on network file systems.
//!
//! | event | what is read |
//! | --- | --- |
//! | renamed, and created anew | the rest of the old file, also for [`LINGER`] after its last line, because the daemon writes to it until it gets a signal; then the new file |
//! | `copytruncate` | the rest from the copy, then the file from its start |
//! | truncated | the file from its start |
//! | replaced by a copy with more lines | the additional lines |
//! | several of them while nothing was read | all files since the last place, compressed or not |

mod open;

use super::batch::Batch;
use super::cursor::{self, Place, Position};
use super::generation::{self, Generation, Id};
use super::open_file::OpenFile;
use super::verdict::Verdict;
use jiff::Timestamp;
use open::{Opened, open_all};
use rustix::fs::statfs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::time::{Duration, Instant, SystemTime};

/// How long a rotated file may still get lines after its last one.
const LINGER: Duration = Duration::from_secs(600);
/// Maximum number of rotated files that are kept open, although nothing was added to them.
const MOST: usize = 8;
/// Maximum number of closed files that are remembered.
const CLOSED: usize = 32;
/// How often the list of files is read again if it changes in the meantime.
const TRIES: usize = 10;
/// The interval of checks on a local file system.
const INTERVAL: Duration = Duration::from_millis(200);
/// The interval of checks on other file systems, where each check is a request to the server.
const REMOTE_INTERVAL: Duration = Duration::from_secs(1);
/// The types of local file systems, from statfs(2): ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs,
/// F2FS, ZFS.
const LOCAL: [u64; 7] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1];

/// A log in files.
pub(super) struct FileLog {
    path: PathBuf,
    follow: bool,
    /// The rotated files that are being read, oldest first.
    old: Vec<OpenFile>,
    /// The file into which the daemon writes; `None` if it does not exist.
    current: Option<OpenFile>,
    /// The places at which the last files were closed.
    closed: Vec<Place>,
    /// Requests before this time are ignored in what the files held at the start.
    not_before: Timestamp,
    /// Everything before this time has been read.
    from: Timestamp,
    /// A time of the last change of the file that was the current one before. Without any, the time
    /// of the start.
    changed: SystemTime,
    next_check: Instant,
    interval: Duration,
    /// Whether everything has been read.
    at_end: bool,
    problem: Option<String>,
    /// The number of times that lines may have been lost since the last read.
    gaps: u64,
    /// The verdict on the files that are not read any more, in this run or an earlier one.
    before: Verdict,
}

impl FileLog {
    /// Opens a log at its saved position, or where `since` begins.
    ///
    /// # Errors
    /// The files cannot be listed or read; or, unless it is followed, the log does not exist.
    pub(super) fn open(
        path: &Path,
        saved: Option<&Position>,
        since: Timestamp,
        follow: bool,
    ) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let is_missing = match generation::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Some(error),
            other => other.map(|_| None)?,
        };
        let from = saved.map_or(since, |saved| saved.from.min(cursor::safe(Timestamp::now())));
        let mut log = Self {
            path,
            follow,
            old: Vec::new(),
            current: None,
            closed: saved.map(|saved| saved.closed.clone()).unwrap_or_default(),
            not_before: from,
            from,
            changed: SystemTime::now(),
            next_check: Instant::now(),
            interval: INTERVAL,
            at_end: false,
            problem: None,
            gaps: 0,
            before: Verdict::Empty,
        };
        let places = saved.map_or(&[][..], |saved| &saved.files);
        let opened = log.find(places, SystemTime::from(from), &[])?;
        if let Some(error) = is_missing.filter(|_| opened.files.is_empty() && !follow) {
            // A mistyped name would otherwise go unnoticed.
            return Err(error);
        }
        // If every file was read to its end and closed, all lines of the files that were found are new.
        if opened.lost == 0 && (!places.is_empty() || !log.closed.is_empty()) {
            log.not_before = Timestamp::MIN;
        }
        if places.iter().chain(&log.closed).any(|place| place.offset > 0) {
            log.before = Verdict::Log;
        }
        log.gaps += opened.lost;
        log.take(opened);
        Ok(log)
    }

    /// The position after everything that was read.
    pub(super) fn position(&self) -> Position {
        let files = self.old.iter().chain(&self.current).map(OpenFile::place).collect();
        let closed = self.closed.clone();
        Position { log: self.name(), from: self.from, files, closed, entry: None }
    }

    /// The log's name in a cursor.
    pub(super) fn name(&self) -> String {
        name(&self.path)
    }

    /// The current problem, if there is one.
    pub(super) fn problem(&self) -> Option<String> {
        let is_text = self.follow && self.verdict() == Verdict::NoLog;
        let verdict = || is_text.then(|| Verdict::NoLog.reason()).flatten();
        let problem = self.problem.as_deref().or_else(verdict)?;
        Some(format!("{}: {problem}", self.name()))
    }

    /// Whether the files that were read are a log.
    pub(super) fn verdict(&self) -> Verdict {
        self.old.iter().chain(&self.current).map(OpenFile::verdict).fold(self.before, Verdict::max)
    }

    /// Whether the log has been read up to its present end, and is not followed.
    pub(super) fn has_ended(&self) -> bool {
        self.at_end && !self.follow
    }

    /// Continues to read. Returns whether the present end was reached.
    ///
    /// # Errors
    /// The log cannot be read, and is not followed.
    pub(super) fn read(&mut self, batch: &mut Batch<'_>) -> io::Result<bool> {
        if Instant::now() >= self.next_check {
            let checked = self.check();
            self.next_check = Instant::now() + self.interval;
            self.settle(checked)?;
        }
        batch.counters.gaps += std::mem::take(&mut self.gaps);
        self.at_end = self.read_old(batch);
        if let Some(current) = self.current.as_mut().filter(|_| self.at_end) {
            let read = current.read(batch, self.not_before);
            self.at_end = *read.as_ref().unwrap_or(&false);
            self.settle(read.map(drop))?;
        }
        if self.at_end {
            self.not_before = Timestamp::MIN;
            self.from = cursor::safe(Timestamp::now());
        }
        Ok(self.at_end)
    }

    /// Records an error of a log that is followed; the next check tries again.
    fn settle(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if !self.follow => Err(error),
            Err(error) => {
                self.problem = Some(error.to_string());
                Ok(())
            }
        }
    }

    /// Reads the rotated files, and closes those that are complete.
    fn read_old(&mut self, batch: &mut Batch<'_>) -> bool {
        let mut at_end = true;
        let spare = self.old.len().saturating_sub(MOST);
        let mut index = 0;
        let not_before = self.not_before;
        let (mut gaps, mut problem) = (0, None);
        let closed = &mut self.closed;
        let before = &mut self.before;
        self.old.retain_mut(|file| {
            index += 1;
            // A later file waits, so that requests stay in order.
            match if at_end { file.read(batch, not_before) } else { Ok(false) } {
                Ok(true) if is_complete(file) || index <= spare => {
                    file.finish(batch, not_before);
                    *before = file.verdict().max(*before);
                    closed.push(file.place());
                    false
                }
                Ok(done) => {
                    at_end &= done;
                    true
                }
                Err(error) => {
                    (gaps, problem) = (gaps + 1, Some(error.to_string()));
                    closed.push(file.place());
                    false
                }
            }
        });
        self.closed.drain(..self.closed.len().saturating_sub(CLOSED));
        batch.counters.gaps += gaps;
        self.problem = problem.or(self.problem.take());
        at_end
    }

    /// Checks whether the log was rotated, truncated or replaced.
    fn check(&mut self) -> io::Result<()> {
        let found = match generation::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It may have been renamed, and be created again later.
                self.problem = Some(error.to_string());
                None
            }
            other => Some(Id::of(&other?.1)),
        };
        if found.is_some() {
            self.problem = None;
        }
        let Some(mut current) = self.current.take() else {
            // Files that appeared meanwhile under other names also have later lines.
            let opened = found.map(|_| self.find(&[], self.changed, &self.known())).transpose()?;
            opened.into_iter().for_each(|opened| self.take(opened));
            return Ok(());
        };
        self.before = self.before.max(current.verdict());
        let before = current.place();
        match self.successors(&mut current, &before, found) {
            Ok(None) => self.current = Some(current),
            Ok(Some((opened, is_unusable))) => {
                self.changed = SystemTime::from(before.changed);
                match is_unusable {
                    true => self.gaps += opened.lost,
                    // The file was renamed, and is read to its end, even if it has been removed.
                    false if !opened.has_last => self.old.push(current),
                    false => {}
                }
                self.take(opened);
            }
            Err(error) => {
                self.current = Some(current);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The files after the current one, and whether that one cannot be read to its end, because it
    /// was truncated; `None` if nothing has changed. `place` is its place at the last check, and
    /// `found` is the file that has its name now.
    fn successors(
        &self,
        current: &mut OpenFile,
        place: &Place,
        found: Option<Id>,
    ) -> io::Result<Option<(Opened, bool)>> {
        // A file that was removed on an NFS server can no longer be read.
        let is_unusable = current.was_truncated().unwrap_or(true);
        if found == Some(current.id) && !is_unusable {
            return Ok(None);
        }
        let mut known = self.known();
        known.extend((!is_unusable).then_some(current.id));
        let opened = self.find(from_ref(place), self.changed, &known)?;
        Ok(Some((opened, is_unusable)))
    }

    /// The rotated files that are open.
    fn known(&self) -> Vec<Id> {
        self.old.iter().map(|file| file.id).collect()
    }

    fn take(&mut self, opened: Opened) {
        for (file, is_current) in opened.files {
            match is_current {
                true => self.current = Some(file),
                false => self.old.push(file),
            }
        }
        self.gaps += opened.unreadable;
        self.problem = opened.problem.or(self.problem.take());
        self.interval = interval(&self.path);
    }

    /// Opens the files of these places, and all later ones; without places, those that were changed
    /// after `since`. Files in `known` are left out.
    fn find(&self, places: &[Place], since: SystemTime, known: &[Id]) -> io::Result<Opened> {
        let list = || -> io::Result<Vec<Generation>> {
            let mut all = generation::list(&self.path)?;
            all.retain(|one| !known.contains(&one.id));
            Ok(all)
        };
        let names = |all: &[Generation]| -> Vec<(PathBuf, u64)> {
            all.iter().map(|one| (one.path.clone(), one.id.inode)).collect()
        };
        let mut before = list()?;
        for _ in 0..TRIES {
            let opened = open_all(&before, places, since, &self.closed);
            let after = list()?;
            if names(&before) == names(&after) {
                return opened;
            }
            // logrotate was running.
            before = after;
        }
        Err(io::Error::other("its files change all the time"))
    }
}

/// The name of a log in cursors and messages.
pub(super) fn name(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.as_os_str().as_encoded_bytes().escape_ascii().to_string()
}

fn interval(path: &Path) -> Duration {
    let kind = statfs(path).ok().and_then(|state| u64::try_from(state.f_type).ok());
    match kind {
        Some(kind) if !LOCAL.contains(&kind) => REMOTE_INTERVAL,
        _ => INTERVAL,
    }
}

/// Whether nothing more will be added to a rotated file.
fn is_complete(file: &OpenFile) -> bool {
    let age = file.modified().ok().and_then(|time| time.elapsed().ok());
    file.is_packed() || age.is_some_and(|age| age > LINGER)
}

#[cfg(test)]
mod tests;
