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

use crate::event::Event;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::select::Stock;
use crate::served::Served;
use clap::Args;
use jiff::Timestamp;
use source::Source;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which logs tell when images last served a job.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Read this log, besides what `sifcache hits` has read before: syslog of a node or of all
    /// nodes, also compressed, or the output of `journalctl --output=json`; - is standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    log: Vec<PathBuf>,
}

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

/// Adds to each stock what the logs say of its images.
///
/// # Errors
/// A log that cannot be read.
pub(crate) fn learn(logs: &Logs, stocks: &mut [Stock]) -> Result<(), Failure> {
    if logs.log.is_empty() {
        return Ok(());
    }
    let sources: Vec<Source> = logs.log.iter().cloned().map(Source::File).collect();
    let mut hits = Hits::new();
    let mut take = |time, event: Event| note(&mut hits, time, &event);
    let progress = Progress::new(false);
    let read = read::read(&sources, &progress, &mut take)?;
    for remark in read.remarks() {
        progress.note(&remark);
    }
    for stock in stocks {
        stock.served.learn(&Served::of(&stock.root, &hits, &read), &read.unread.times);
    }
    Ok(())
}

/// A host's name as it is compared: without its domain, in lower case.
pub(crate) fn host_name(name: &str) -> String {
    scan::short(name.as_bytes())
}
