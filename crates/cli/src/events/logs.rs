//! Hits and misses in the logs of the nodes, and the times that these logs cover.

pub(crate) mod coverage;
pub(crate) mod evidence;
mod header;
mod journal;
mod json;
mod line;
mod packed;
pub(crate) mod read;
mod scan;
pub(crate) mod source;
mod stamp;

use crate::events::event::Event;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// When each image last served a job.
pub(crate) type Hits = BTreeMap<PathBuf, Timestamp>;

/// Records a hit; a miss is ignored.
pub(crate) fn note(hits: &mut Hits, time: Timestamp, event: &Event) {
    let Some(image) = &event.image else { return };
    match hits.get_mut(image) {
        Some(last) => *last = time.max(*last),
        None => drop(hits.insert(image.clone(), time)),
    }
}

/// A host name for comparisons: in lower case and without its domain.
pub(crate) fn host_name(name: &str) -> String {
    scan::short(name.as_bytes())
}
