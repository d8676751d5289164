//! What the logs of the nodes say of hits and misses, and how far back they reach.

mod line;
pub(crate) mod source;

use crate::event::Event;
use crate::failure::{Exit, Failure};
use crate::progress::Progress;
use crate::select::Stock;
use crate::served::Served;
use crate::stop;
use clap::Args;
use jiff::Timestamp;
use memchr::memmem;
use source::Source;
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

/// The time that logs cover without a hole, as far as they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Reads logs; `take` gets each event with its time. Returns the times that they cover,
/// one for each log in which any line has a time.
///
/// # Errors
/// A log that cannot be read.
pub(crate) fn read(
    sources: &[Source],
    progress: &Progress,
    take: &mut dyn FnMut(Timestamp, Event),
) -> Result<Vec<Span>, Failure> {
    let now = Timestamp::now();
    let mut spans = Vec::new();
    for source in sources {
        spans.extend(read_one(source, now, progress, take)?);
    }
    Ok(spans)
}

fn read_one(
    source: &Source,
    now: Timestamp,
    progress: &Progress,
    take: &mut dyn FnMut(Timestamp, Event),
) -> Result<Option<Span>, Failure> {
    let task = progress.reading(&source.name(), source.size());
    let mut input = source.open()?;
    let ours = memmem::Finder::new("sifcache");
    let (mut line, mut last) = (Vec::new(), Vec::new());
    let mut first = match source {
        Source::Journal => source::journals_first_line().and_then(|line| line::time(&line, now)),
        Source::File(_) => None,
    };
    let failed = |error| Failure::new(Exit::IO, format!("cannot read {}: {error}", source.name()));
    while input.line(&mut line).map_err(failed)? {
        stop::check()?;
        task.advance(line.len() as u64);
        if first.is_none() {
            first = line::time(&String::from_utf8_lossy(&line), now);
        }
        if ours.find(&line).is_some()
            && let Some((time, event)) = line::event(String::from_utf8_lossy(&line).trim_end(), now)
        {
            take(time, event);
        }
        std::mem::swap(&mut line, &mut last);
    }
    let last = match source {
        Source::Journal => Some(now),
        Source::File(_) => line::time(String::from_utf8_lossy(&last).trim_end(), now),
    };
    Ok(first.zip(last.or(first)).map(|(from, to)| Span { from, to }))
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
    let mut hits = Vec::new();
    let mut take = |time, event: Event| hits.extend(event.image.map(|image| (image, time)));
    let spans = read(&sources, &Progress::new(false), &mut take)?;
    for stock in stocks {
        stock.served.learn(Served::of(&stock.root, &hits, &spans));
    }
    Ok(())
}
