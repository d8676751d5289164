//! The queue files that waiting jobs read: one for each requested image
//! ([`sifcache_core::queue`]).
//!
//! The number of writes is bounded, because the files are on the file server of all nodes: an entry
//! is written at most once per second, and only if it has changed or its beat is due; a result is
//! written at once. All entries together are written at most [`WRITES`] times per call. Entries are
//! not synced: after a power failure, an entry may be empty, which readers ignore.

use crate::cache::store::scratch::Scratch;
use crate::cache::store::{Store, cannot_write, directory, metadata, path_trust, place};
use crate::error::Failure;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The maximum number of entries. Those that do not fit are not shown, and their jobs do not wait.
pub(crate) const MAX_ENTRIES: usize = 500;
/// The maximum number of writes per call, which is about once per second.
const WRITES: usize = 100;
/// The shortest time between two writes of an entry.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time after which an entry is written with a new beat. Readers expect one every 10 seconds.
const BEAT: Duration = Duration::from_secs(8);
/// A file beside the entries that a service renews, for `sifcache doctor`.
const PULSE: &str = "beat";
/// How long the entries of a previous filler stay.
const LEFTOVER: Duration = Duration::from_secs(600);

/// The content of an entry, to which the beat is added when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) reference: Reference,
    pub(crate) state: State,
    pub(crate) size: u64,
    pub(crate) received: u64,
    pub(crate) seconds_left: Option<u32>,
    pub(crate) ahead: u32,
    pub(crate) users: Option<u32>,
    pub(crate) reason: String,
    /// Changes with each request, so that a result is written again, with a new beat, for a new request.
    pub(crate) request: u64,
}

impl Notice {
    /// A notice with only the state.
    pub(crate) fn without_progress(reference: Reference, state: State) -> Self {
        Self {
            reference,
            state,
            size: 0,
            received: 0,
            seconds_left: None,
            ahead: 0,
            users: None,
            reason: String::new(),
            request: 0,
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.state, State::Queued | State::Pulling)
    }

    /// The entry with this beat.
    pub(crate) fn entry(&self, beat: u64) -> Entry {
        Entry {
            reference: self.reference.to_string(),
            state: self.state,
            size: self.size,
            received: self.received,
            seconds_left: self.seconds_left,
            ahead: self.ahead,
            users: self.users,
            beat,
            reason: self.reason.clone(),
        }
    }
}

/// An entry that was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) notice: Notice,
    pub(crate) at: Instant,
}

impl Written {
    /// How urgent it is to replace the entry by this one, if it has to be written now.
    pub(crate) fn urgency(&self, notice: &Notice, now: Instant, last: bool) -> Option<Urgency> {
        let age = now.saturating_duration_since(self.at);
        match () {
            // Jobs wait for a result, and no further change follows it.
            () if self.notice.is_live() && !notice.is_live() => Some(Urgency::New),
            () if age < INTERVAL && !last => None,
            () if self.notice.state != notice.state => Some(Urgency::New),
            () if notice.is_live() && age >= BEAT => Some(Urgency::Beat(self.at)),
            () if self.notice != *notice => Some(Urgency::Changed(self.at)),
            () => None,
        }
    }
}

/// The directory of the entries.
#[derive(Debug)]
pub(crate) struct Board {
    root: PathBuf,
    scratch: Scratch,
    /// By path relative to the image root.
    written: BTreeMap<String, Written>,
    /// Files of a previous filler, each with the time of its removal.
    leftovers: BTreeMap<String, Instant>,
    pulse: Option<Instant>,
}

/// When a service last showed that it is running, in seconds since 1970; `None` if there was none.
pub(crate) fn pulse(root: &Path) -> Option<u64> {
    let text = metadata::read(&root.join(queue::DIRECTORY).join(PULSE)).ok()?;
    std::str::from_utf8(&text).ok()?.trim_end().parse().ok()
}

impl Board {
    /// Opens the directory of the entries, and creates it if it is missing.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn open(store: &Store, now: Instant) -> Result<Self, Failure> {
        let root = store.root().to_owned();
        let path = root.join(queue::DIRECTORY);
        path_trust::refuse(&path)?;
        let made = directory::make(&root, &path).and_then(|()| leftovers(&path, now));
        let leftovers = made.map_err(|error| cannot_write(&path, error))?;
        let (scratch, written) = (store.scratch()?, BTreeMap::new());
        Ok(Self { root, scratch, written, leftovers, pulse: None })
    }

    /// Writes the entries that have to be written, and removes those that are not in `notices` any
    /// more. `beat` is the time in seconds. `last` is set by a filler that ends: all entries that
    /// have changed are then written.
    ///
    /// # Errors
    /// An entry cannot be written. The next call tries it again.
    pub(crate) fn update(
        &mut self,
        notices: Vec<Notice>,
        beat: u64,
        now: Instant,
        last: bool,
    ) -> Result<(), Failure> {
        let mut wanted = BTreeMap::new();
        for notice in notices.into_iter().take(MAX_ENTRIES) {
            wanted.entry(queue::file(&notice.reference)).or_insert(notice);
        }
        self.sweep(&wanted, now);
        let mut due: Vec<(Urgency, String, Notice)> = wanted
            .into_iter()
            .filter_map(|(file, notice)| {
                Some((self.urgency(&file, &notice, now, last)?, file, notice))
            })
            .collect();
        due.sort_by(|one, other| one.0.cmp(&other.0));
        for (_, file, notice) in due.into_iter().take(WRITES) {
            let written = self.replace(&file, &format!("{}\n", notice.entry(beat)));
            written.map_err(|error| cannot_write(&self.root.join(&file), error))?;
            self.leftovers.remove(&file);
            self.written.insert(file, Written { notice, at: now });
        }
        Ok(())
    }

    /// Shows that a service is running, if that is due.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn show_pulse(&mut self, beat: u64, now: Instant) -> Result<(), Failure> {
        if self.pulse.is_some_and(|last| now.saturating_duration_since(last) < BEAT) {
            return Ok(());
        }
        let file = format!("{}/{PULSE}", queue::DIRECTORY);
        let written = self.replace(&file, &format!("{beat}\n"));
        written.map_err(|error| cannot_write(&self.root.join(&file), error))?;
        self.pulse = Some(now);
        Ok(())
    }

    /// Removes entries that are not needed any more.
    fn sweep(&mut self, wanted: &BTreeMap<String, Notice>, now: Instant) {
        let root = &self.root;
        // An entry that cannot be removed does no harm: its beat does not change, so readers see that
        // it is old.
        let remove = |file: &str| drop(fs::remove_file(root.join(file)));
        self.written.retain(|file, _| {
            let stays = wanted.contains_key(file);
            if !stays {
                remove(file);
            }
            stays
        });
        self.leftovers.retain(|file, end| {
            let stays = wanted.contains_key(file) || now < *end;
            if !stays {
                remove(file);
            }
            stays
        });
    }

    fn urgency(&self, file: &str, notice: &Notice, now: Instant, last: bool) -> Option<Urgency> {
        match self.written.get(file) {
            Some(written) => written.urgency(notice, now, last),
            None => Some(Urgency::New),
        }
    }

    fn replace(&self, file: &str, text: &str) -> io::Result<()> {
        let temporary = self.scratch.path("entry");
        fs::write(&temporary, text)?;
        place::open_to_all(&self.root, &temporary)?;
        fs::rename(&temporary, self.root.join(file))
    }
}

/// The order of the writes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    New,
    /// A new beat, and when the entry was written.
    Beat(Instant),
    Changed(Instant),
}

/// The files of a previous filler. Those with a result stay as long as it would have kept them; the
/// others are removed if the schedule does not contain them: readers then see that no filler
/// works on the image.
fn leftovers(directory: &Path, now: Instant) -> io::Result<BTreeMap<String, Instant>> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let Some(name) = file.file_name().to_str().map(str::to_owned) else { continue };
        if name == PULSE {
            continue;
        }
        let entry = metadata::read(&file.path()).ok().and_then(|bytes| Entry::parse(&bytes));
        let is_final = |entry: Entry| !matches!(entry.state, State::Queued | State::Pulling);
        let age = file.metadata().and_then(|metadata| metadata.modified()).ok().map(|time| {
            // A time in the future is one of another clock.
            SystemTime::now().duration_since(time).unwrap_or_default()
        });
        let left = match entry.is_some_and(is_final) {
            true => LEFTOVER.saturating_sub(age.unwrap_or(LEFTOVER)),
            false => Duration::ZERO,
        };
        found.insert(format!("{}/{name}", queue::DIRECTORY), now + left);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
