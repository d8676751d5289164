//! Counts the lines of the logs that were written since the last run.

use super::counters::Limits;
use super::state::{Place, Saved};
use crate::demand::source::{self, Cursor, Source};
use crate::error::Failure;
use crate::events::logs::launch::Launch;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The label of a host without any log.
const NONE: &str = "none";

/// What was read besides the counters.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The names of the logs, each with whether it was read.
    pub(crate) logs: Vec<(String, bool)>,
    /// Messages about logs.
    pub(crate) notes: Vec<String>,
    /// The images of hits, each with the number of commands: tasks that share one count one each, as in
    /// `report`.
    pub(crate) hits: HashMap<PathBuf, u64>,
}

/// A log to read.
struct Log {
    name: String,
    /// `None` is the journal of this host.
    path: Option<PathBuf>,
}

/// Counts the new lines of the logs: those in `named`, else those of the last run, else the log of
/// this host. A log that was not read before begins at `begin`. Nothing is counted of a log that
/// cannot be read to its end; all of it is counted later.
///
/// # Errors
/// A signal asked the command to end.
pub(crate) fn read(
    saved: &mut Saved,
    named: &[PathBuf],
    begin: Timestamp,
    limits: Limits,
) -> Result<Read, Failure> {
    let mut read = Read::default();
    let logs = choose(saved, named, &mut read);
    saved.logs.retain(|name, _| logs.iter().any(|log| log.name == *name));
    for log in logs {
        let place = Place { begin, cursor: None };
        let place = saved.logs.entry(log.name.clone()).or_insert(place).clone();
        let before = (saved.counters.clone(), read.hits.clone());
        let result = one(&log, &place, &mut |launch| {
            saved.counters.add(&launch, limits);
            if let Some(image) = launch.event.image {
                *read.hits.entry(image).or_default() += launch.event.count;
            }
        });
        let is_read = match result {
            Ok((cursor, found)) => {
                saved.counters.add_problems(found.forged, found.unread, found.gaps);
                saved.logs.insert(log.name.clone(), Place { cursor: Some(cursor), ..place });
                true
            }
            Err(failure @ Failure::Stopped(_)) => return Err(failure),
            Err(failure) => {
                (saved.counters, read.hits) = before;
                read.notes.push(failure.to_string());
                false
            }
        };
        read.logs.push((log.name, is_read));
    }
    Ok(read)
}

/// The logs to read.
fn choose(saved: &mut Saved, named: &[PathBuf], read: &mut Read) -> Vec<Log> {
    if !named.is_empty() {
        saved.named = named.iter().map(|path| resolved(path)).collect();
    }
    if saved.named.is_empty() {
        return match source::default_log() {
            Ok(None) => vec![Log { name: source::journal_name(), path: None }],
            Ok(Some(path)) => vec![Log { name: source::name(&path), path: Some(path) }],
            Err(failure) => {
                read.notes.push(failure.to_string());
                read.logs.push((NONE.to_owned(), false));
                Vec::new()
            }
        };
    }
    let mut logs: Vec<Log> = Vec::new();
    for path in &saved.named {
        if let Some(log) = saved.named.iter().find(|log| source::is_rotated_from(path, log)) {
            let (name, log) = (source::name(path), source::name(log));
            read.notes.push(format!("{name} is not read by itself, because it belongs to {log}"));
            continue;
        }
        let name = source::name(path);
        if !logs.iter().any(|log| log.name == name) {
            logs.push(Log { name, path: Some(path.clone()) });
        }
    }
    logs
}

fn one(
    log: &Log,
    place: &Place,
    take: &mut dyn FnMut(Launch),
) -> Result<(Cursor, source::Counters), Failure> {
    let is_journal = log.path.as_ref().is_none_or(|path| path.is_dir());
    if let Some((path, why)) = log.path.as_ref().and_then(|path| Some((path, unusable(path)?))) {
        return Err(Failure::read(path, io::Error::other(why)));
    }
    let paths: Vec<PathBuf> = log.path.iter().cloned().collect();
    let mut source = Source::open(&paths, place.cursor.as_ref(), place.begin, false)?;
    source.launches(&mut |launch| {
        // Without an entry to continue from, a journal is read from some hours before the last run.
        if !is_journal || launch.time >= place.begin {
            take(launch);
        }
    })?;
    source.remarks()?;
    Ok((source.cursor(), source.counters()))
}

/// Why a path cannot be a log with a position; `None` if it can.
fn unusable(path: &Path) -> Option<&'static str> {
    let metadata = fs::metadata(path).ok()?;
    let why = "it is not a regular file, so it has no position to continue from";
    (!metadata.is_dir() && !metadata.is_file()).then_some(why)
}

/// The path of a log. A symbolic link is resolved, because rotated files are beside its target.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match absolute.is_symlink() {
        true => fs::canonicalize(&absolute).unwrap_or(absolute),
        false => absolute,
    }
}

#[cfg(test)]
mod tests;
