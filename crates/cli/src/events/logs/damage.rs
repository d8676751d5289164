//! Logs that cannot be read to their end: which times are unknown because of them.
//!
//! Any of the lost lines could be a hit, so the times before the last one are unknown, for all nodes. If
//! the log still exists, the time of its last change bounds them. Otherwise, all times are unknown. Times
//! that were saved from the same log when it could be read stay saved.

use super::coverage::Span;
use super::packed::{self, MAGIC};
use super::source::Source;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The extensions of compressed files.
const PACKED: [&str; 4] = ["gz", "xz", "bz2", "zst"];

/// The end of the times that are unknown because the rest of a log could not be read; `None` if it is
/// unknown too. `latest` is the latest time of the lines that could be read.
///
/// It is a day and a half after the last change of the file, because the clocks of nodes differ, and
/// because a shorter period would look like one without lines ([`Span::unread`]).
pub(super) fn until(source: &Source, latest: Option<Timestamp>) -> Option<Timestamp> {
    let Source::File(path) = source else { return None };
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let modified = Timestamp::from_second(metadata.mtime()).ok()?;
    // Programs can set the time of the last change. If it contradicts the lines, or if there are none,
    // the time at which the inode was changed counts. That one is later, for example that of a rename.
    let is_credible = latest.is_some_and(|latest| Span::unread(modified).to >= latest);
    let end = match is_credible {
        true => modified,
        false => Timestamp::from_second(metadata.ctime()).ok()?,
    };
    Some(Span::unread(latest.map_or(end, |latest| end.max(latest))).to)
}

/// Why a file without any line is a damaged log: its name is that of a compressed file, but the content
/// is not compressed. After a power failure, a new file can be empty or contain only zeros.
pub(super) fn not_compressed(source: &Source) -> Option<String> {
    let Source::File(path) = source else { return None };
    let extension = path.extension()?.to_str().filter(|extension| PACKED.contains(extension))?;
    let mut head = Vec::new();
    let limit = u64::try_from(MAGIC).unwrap_or_default();
    File::open(Path::new(path)).ok()?.take(limit).read_to_end(&mut head).ok()?;
    let why = format!("its name ends in .{extension}, but it is not compressed");
    (!packed::is_packed(&head)).then_some(why)
}
