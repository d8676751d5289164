//! What the logs of the nodes say of hits and misses, and of which time they know.

pub(crate) mod coverage;
mod journal;
mod line;
pub(crate) mod source;

use crate::event::Event;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::select::Stock;
use crate::served::Served;
use clap::Args;
use coverage::{Coverage, Span};
use jiff::Timestamp;
use line::Line;
use memchr::memmem;
use source::Source;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which logs tell when images last served a job.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Read this log, besides what `sifcache hits` has read before: syslog of a node or of all
    /// nodes, packed with gzip or not, or the output of `journalctl --output=json`; - is
    /// standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    log: Vec<PathBuf>,
}

/// What was read beside the events.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The times that the logs cover.
    pub(crate) spans: Vec<Span>,
    /// Lines that bear our name, and that the plugin did not write so.
    pub(crate) forged: u64,
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

/// Reads logs; `take` gets each event with its time.
///
/// # Errors
/// A log that cannot be read.
pub(crate) fn read(
    sources: &[Source],
    progress: &Progress,
    take: &mut dyn FnMut(Timestamp, Event),
) -> Result<Read, Failure> {
    let now = Timestamp::now();
    let mut all = Read::default();
    for source in sources {
        let mut lines = source.open(progress)?;
        let mut coverage = Coverage::new(now);
        let ours = memmem::Finder::new("sifcache");
        let mut line = Vec::new();
        while lines.next(&mut line).map_err(|error| source.failed(&error))? {
            if ours.find(&line).is_some() {
                match line::read(String::from_utf8_lossy(&line).trim_end(), now) {
                    Line::Event(time, event) => take(time, *event),
                    Line::Forged => all.forged += 1,
                    Line::Other => {}
                }
            }
            coverage.line(&mut line);
        }
        coverage.finish();
        match source {
            Source::File(_) => all.spans.extend(coverage.spans()),
            Source::Journal(since) => all.spans.extend(of_journal(*since, now)),
        }
    }
    Ok(all)
}

/// The journal was asked for our lines alone; it knows of all time since its first one.
fn of_journal(since: Option<Timestamp>, now: Timestamp) -> Option<Span> {
    let first = line::time(&journal::first_line()?, now)?;
    Some(Span { from: since.map_or(first, |since| since.max(first)), to: now })
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
    let read = read(&sources, &Progress::new(false), &mut take)?;
    for stock in stocks {
        stock.served.learn(Served::of(&stock.root, &hits, &read.spans));
    }
    Ok(())
}
