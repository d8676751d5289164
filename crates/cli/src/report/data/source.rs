//! Where the figures of a report come from.

use jiff::Timestamp;
use serde::Serialize;

/// The name of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourceId {
    /// The lines of the plugin and the shim in syslog, and the times that the logs cover.
    Logs,
    /// The files of the image roots, their records and the files that are still kept.
    Roots,
    /// The file systems of the image roots: statvfs.
    FileSystems,
    /// The last uses of images that `sifcache hits` has saved in the image roots.
    LastUsed,
    /// What `sifcache verify` finds without reading whole images.
    Verify,
    /// The state of the filler and its queue, in the image root that it fills.
    Filler,
    /// Slurm's `sinfo`.
    Slurm,
}

/// A source.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Source {
    pub(crate) id: SourceId,
    /// A description in a few words: `log lines of the plugin`.
    pub(crate) what: &'static str,
    /// The files or directories that were read, or the command line that was run.
    pub(crate) names: Vec<String>,
    /// The times of the first and the last line of logs; for other sources, `from` is `None` and
    /// `to` is the time at which the source was read. Both are `None` if it was not read.
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    /// What was not read, and why, one sentence each.
    pub(crate) notes: Vec<String>,
    /// The command that shows the same data in more detail; empty if there is none.
    pub(crate) command: String,
}
