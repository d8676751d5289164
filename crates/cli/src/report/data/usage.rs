//! The use of the cache: figures from the log lines.

use crate::events::count::Commands;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// Sums over all days of the report.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Totals {
    /// Commands whose image was in the cache.
    pub(crate) hits: Commands,
    /// Commands whose image was not in the cache.
    pub(crate) misses: Commands,
    /// The hits in percent of all commands; `None` if there were no commands.
    pub(crate) hit_percent: Option<f64>,
    /// The numbers of different jobs and users with a hit or a miss.
    pub(crate) jobs: u64,
    pub(crate) users: u64,
    /// The number of different image files that served a command.
    pub(crate) images: u64,
    pub(crate) saved: Saved,
    /// The bytes if each user had downloaded each image once, and kept it: a lower limit of the bytes
    /// saved. Images of unknown size are not included.
    pub(crate) saved_once_per_user: u64,
}

/// Bytes that were not downloaded because of hits. A size is that of the image file, which differs
/// from that of the compressed layers that a runtime downloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Saved {
    /// The bytes if each command had downloaded its image: an upper limit.
    pub(crate) bytes: u64,
    /// The number of hits whose image has an unknown size, because it was removed. They are not
    /// part of `bytes`.
    pub(crate) unknown: u64,
}

/// One day.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Day {
    pub(crate) day: Date,
    pub(crate) hits: Commands,
    pub(crate) misses: Commands,
    pub(crate) saved: Saved,
    /// The number of hosts whose log covers some time of this day. Zero means that nothing is known
    /// about the day.
    pub(crate) hosts: u64,
}

/// An image that served commands.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Image {
    /// The references under which it was requested, in short form: `o/i:1`.
    pub(crate) references: Vec<String>,
    /// The file.
    pub(crate) path: String,
    /// Whether the file still exists.
    pub(crate) present: bool,
    /// Its size in bytes; `None` if that is unknown, because it was removed.
    pub(crate) size: Option<u64>,
    /// When it was added; `None` if it was removed or is not in an image root that sifcache fills.
    pub(crate) added: Option<Timestamp>,
    /// The hits between `since` and `until`.
    pub(crate) hits: Commands,
    pub(crate) jobs: u64,
    pub(crate) users: u64,
    /// The last of these hits.
    pub(crate) last_served: Timestamp,
    pub(crate) saved: Saved,
    /// The bytes if each user had downloaded it once: a lower limit of the bytes saved. `None` if the
    /// size is unknown.
    pub(crate) saved_once_per_user: Option<u64>,
}

/// A reference that was requested and is not in the cache.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Miss {
    /// In short form: `o/i:1`.
    pub(crate) reference: String,
    pub(crate) misses: Commands,
    pub(crate) jobs: u64,
    pub(crate) users: u64,
    pub(crate) last: Timestamp,
    /// The known reasons; empty if there was no such file.
    pub(crate) reasons: Vec<Reason>,
    /// The command that makes the next request a hit.
    pub(crate) command: String,
}

/// Why a reference is not in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// `refused` (jobs refused the file), `refused-by-policy` or `failed` (the filler could not add
    /// it), `pulling`, `queued` or `not-yet` (the filler will add it).
    pub(crate) kind: &'static str,
    /// The file that was refused; `None` for the other kinds.
    pub(crate) path: Option<String>,
    /// The reason in the words of the logs or of the filler: `truncated`.
    pub(crate) why: String,
}

/// A node in the logs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Node {
    /// The short host name, from the header of the log lines; empty if the lines have none.
    pub(crate) node: String,
    pub(crate) hits: Commands,
    pub(crate) misses: Commands,
    /// The last line of the plugin on this node, also if it is not between `since` and `until`.
    pub(crate) last: Option<Timestamp>,
    /// The last period without a gap that its log covers.
    pub(crate) covered_from: Option<Timestamp>,
    pub(crate) covered_to: Option<Timestamp>,
    /// The partitions of the node. Empty if Slurm was not asked or does not list the node.
    pub(crate) partitions: Vec<String>,
}

/// A partition. The lines do not name it, so the figures are those of all of its nodes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Partition {
    pub(crate) partition: String,
    /// The number of its nodes, and of those that occur in the logs.
    pub(crate) nodes: u64,
    pub(crate) nodes_in_logs: u64,
    pub(crate) hits: Commands,
    pub(crate) misses: Commands,
}
