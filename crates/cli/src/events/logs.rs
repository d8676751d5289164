//! Hits and misses in the logs of the nodes, and the times that these logs cover.

mod batch;
mod blank;
mod chunks;
mod clock;
pub(crate) mod coverage;
mod damage;
pub(crate) mod days;
pub(crate) mod evidence;
mod header;
pub(crate) mod journal;
mod json;
pub(crate) mod launch;
mod line;
pub(crate) mod miss;
pub(crate) mod packed;
mod part;
pub(crate) mod placed;
pub(crate) mod read;
pub(crate) mod recognized;
mod scan;
pub(crate) mod source;
mod stamp;
pub(crate) mod tally;
mod texts;
mod times;
mod usual_stamp;
mod workers;

use crate::events::event::Event;
use jiff::Timestamp;
pub(crate) use times::Times;

/// The hits in logs.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// When each image last served a job.
    pub(crate) used: Times,
    /// When a pull last created a link to each image.
    pub(crate) linked: Times,
}

impl Hits {
    /// Adds the hits of other logs.
    pub(crate) fn add(&mut self, other: &Self) {
        self.used.add(&other.used);
        self.linked.add(&other.linked);
    }
}

/// Records a hit; a miss is ignored.
pub(crate) fn note(hits: &mut Hits, time: Timestamp, event: &Event) {
    event.image.iter().chain(&event.link).for_each(|path| hits.used.record(path, time));
    event.link.iter().for_each(|path| hits.linked.record(path, time));
}

/// A host name for comparisons: in lower case and without its domain.
pub(crate) fn host_name(name: &str) -> String {
    scan::short(name.as_bytes())
}
