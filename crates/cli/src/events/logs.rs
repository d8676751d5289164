//! Hits and misses in the logs of the nodes, and the times that these logs cover.

mod chunks;
mod clock;
pub(crate) mod coverage;
pub(crate) mod evidence;
mod header;
pub(crate) mod journal;
mod json;
mod line;
pub(crate) mod miss;
pub(crate) mod packed;
mod part;
pub(crate) mod read;
mod scan;
pub(crate) mod source;
mod stamp;
pub(crate) mod tally;
mod workers;

use crate::events::event::Event;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The last time for each path.
pub(crate) type Times = BTreeMap<PathBuf, Timestamp>;

/// The hits in logs.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// When each image last served a job.
    pub(crate) used: Times,
    /// When a pull last created a link to each image.
    pub(crate) linked: Times,
}

/// Records a hit; a miss is ignored.
pub(crate) fn note(hits: &mut Hits, time: Timestamp, event: &Event) {
    event.image.iter().chain(&event.link).for_each(|path| record(&mut hits.used, time, path));
    event.link.iter().for_each(|path| record(&mut hits.linked, time, path));
}

fn record(times: &mut Times, time: Timestamp, path: &PathBuf) {
    match times.get_mut(path) {
        Some(last) => *last = time.max(*last),
        None => drop(times.insert(path.clone(), time)),
    }
}

/// A host name for comparisons: in lower case and without its domain.
pub(crate) fn host_name(name: &str) -> String {
    scan::short(name.as_bytes())
}
