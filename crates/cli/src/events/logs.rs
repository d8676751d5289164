//! What the logs of the nodes say of hits and misses, and of which time they know.

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

/// When each image last served.
pub(crate) type Hits = BTreeMap<PathBuf, Timestamp>;

/// Takes note of a hit.
pub(crate) fn note(hits: &mut Hits, time: Timestamp, event: &Event) {
    let Some(image) = &event.image else { return };
    match hits.get_mut(image) {
        Some(last) => *last = time.max(*last),
        None => drop(hits.insert(image.clone(), time)),
    }
}

/// A host's name as it is compared: without its domain, in lower case.
pub(crate) fn host_name(name: &str) -> String {
    scan::short(name.as_bytes())
}
