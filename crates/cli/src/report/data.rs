//! The data of a report. `--json` prints this structure, and the page shows it: both have the same
//! figures.
//!
//! All sizes are in bytes, all times are UTC, and all days are days of this host's time zone. Each
//! section names the sources of its figures, and [`Report::sources`] says what these sources are.
//! Texts from logs, file names and messages of programs are not escaped here.

pub(crate) mod cache;
pub(crate) mod problem;
pub(crate) mod source;
pub(crate) mod usage;

#[cfg(test)]
pub(crate) mod example;

use super::command_line::CommandLines;
use cache::{Cache, Unused};
use jiff::Timestamp;
use problem::Problem;
use serde::Serialize;
use source::{Source, SourceId};
use usage::{Day, Image, Miss, Node, Partition, Totals};

/// A report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// When the report was made.
    pub(crate) created: Timestamp,
    /// The host on which it was made.
    pub(crate) host: String,
    /// The release of the command that made it.
    pub(crate) release: &'static str,
    /// The time zone of the days: `Europe/Berlin`, or an offset such as `+01`.
    pub(crate) time_zone: String,
    /// Makes command lines with the settings and logs of this report.
    #[serde(skip)]
    pub(crate) lines: CommandLines,
    /// `--since` and `--until`; `None` without the option.
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    /// What the figures were computed from. Each source occurs once.
    pub(crate) sources: Vec<Source>,
    /// Sums over all days. Source: the logs; for bytes, also the image roots.
    pub(crate) totals: Section<Totals>,
    /// The content of the image roots, and its growth. Source: the image roots, their records, and their
    /// file systems.
    pub(crate) cache: Section<Cache>,
    /// Hits and misses by day, in the order of the days and without gaps between them. Source: the
    /// logs; for bytes, also the image roots.
    pub(crate) days: Section<Vec<Day>>,
    /// The images that served most commands, most first. Source: the logs; for sizes, the image
    /// roots.
    pub(crate) images: Section<List<Image>>,
    /// The references that were requested but are not in the cache, those of most users first.
    /// Source: the logs; for the reasons, also the filler.
    pub(crate) misses: Section<Misses>,
    /// The unused images. Source: the image roots, the logs, and what `sifcache hits` has
    /// saved.
    pub(crate) unused: Section<Unused>,
    /// The problems, and then the notes. Each item has a source of its own.
    pub(crate) problems: Section<Vec<Problem>>,
    /// The nodes in the logs, by name. Source: the logs.
    pub(crate) nodes: Section<Vec<Node>>,
    /// The partitions of these nodes, by name. Source: the logs, and Slurm.
    pub(crate) partitions: Section<Vec<Partition>>,
}

/// A part of the report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section<T> {
    /// Where the figures come from.
    pub(crate) sources: Vec<SourceId>,
    /// Why there are no figures, for example because this host has no log; `None` if there are figures.
    /// If there are none, the data is empty or zero, and must not be shown.
    pub(crate) missing: Option<String>,
    /// Remarks about the figures, one sentence each.
    pub(crate) notes: Vec<String>,
    pub(crate) data: T,
}

impl<T> Section<T> {
    /// A part with figures.
    pub(crate) fn new(sources: &[SourceId], data: T) -> Self {
        Self { sources: sources.to_vec(), missing: None, notes: Vec::new(), data }
    }

    /// A part without figures, for this reason.
    pub(crate) fn without(sources: &[SourceId], why: &str) -> Self
    where
        T: Default,
    {
        Self { missing: Some(why.to_owned()), ..Self::new(sources, T::default()) }
    }

    /// Adds a remark about the figures.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The first rows of a list: `--top`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct List<T> {
    /// The number of rows of the whole list.
    pub(crate) total: u64,
    pub(crate) rows: Vec<T>,
}

/// A number of things as it is printed.
pub(crate) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { total: 0, rows: Vec::new() }
    }
}

/// Requested images that are missing.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Misses {
    /// The references that are still not in the cache.
    pub(crate) list: List<Miss>,
    /// The number of references that were missing, and are in the cache now.
    pub(crate) added_since: u64,
    /// The command that adds the references of at least two users; empty if there is none.
    pub(crate) command: String,
}
