//! Events of many jobs added up: what `misses` and `hits` count.

use crate::error::{Exit, Failure};
use crate::events::event::Event;
use crate::events::logs::read::{self, Read};
use crate::events::logs::source::{self, Source};
use crate::events::logs::{self, Hits};
use crate::options::Site;
use crate::ui::format;
use crate::ui::progress::Progress;
use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Which events count, and how they are shown.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Read this log instead of this host's own: syslog of a node or of all nodes, also
    /// compressed (gzip, xz, bzip2, zstd), or the output of `journalctl --output=json`; - is
    /// standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    log: Vec<PathBuf>,
    /// Only log lines not older than this (30d, 12h), or from this day on (2026-11-24)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only log lines older than this, or before this day
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only references that at least this many users asked for
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_users: usize,
    /// Only so many, the most wanted first
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// A day, or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>() {
        let start = day.to_zoned(TimeZone::system()).map_err(|error| error.to_string())?;
        return Ok(start.timestamp());
    }
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago: SignedDuration = format::parse_age(text).map_err(|_| {
        format!("'{text}' is neither a time ago, as 30d or 12h, nor a day, as 2026-11-24")
    })?;
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())
}

/// What was counted for one thing.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) launches: u64,
    pub(crate) last: Timestamp,
    jobs: BTreeSet<u32>,
    users: BTreeSet<u32>,
    /// Files that were there and did not count, with the last reason.
    pub(crate) refused: BTreeMap<PathBuf, String>,
    /// The references, in normal form.
    pub(crate) references: BTreeSet<String>,
}

impl Count {
    fn add(&mut self, time: Timestamp, event: Event) {
        self.launches = self.launches.saturating_add(event.launches);
        self.last = self.last.max(time);
        self.jobs.extend(event.job);
        self.users.insert(event.uid);
        self.refused.extend(event.refused);
        self.references.insert(event.reference.to_string());
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }
}

/// All that was counted.
#[derive(Debug)]
pub(crate) struct Tally {
    /// By what `key` made of the events; the most wanted first.
    pub(crate) counts: Vec<(String, Count)>,
    /// Where it was read, for people.
    sources: Vec<String>,
    /// When each image last served, for `served.json`.
    pub(crate) hits: Hits,
    /// What else was read.
    pub(crate) read: Read,
}

/// Reads the logs and counts the events for which `key` has a key.
///
/// # Errors
/// A log that cannot be read, or none.
pub(crate) fn tally(
    which: &Which,
    key: &dyn Fn(&Event) -> Option<String>,
) -> Result<Tally, Failure> {
    let (sources, skipped) = match which.log.is_empty() {
        true => source::of_this_host(which.since)?,
        false => (which.log.iter().cloned().map(Source::File).collect(), Vec::new()),
    };
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut hits = Hits::new();
    let mut take = |time: Timestamp, event: Event| {
        logs::note(&mut hits, time, &event);
        let early = which.since.is_some_and(|since| time < since);
        let late = which.until.is_some_and(|until| time >= until);
        if let Some(key) = key(&event).filter(|_| !early && !late) {
            counts.entry(key).or_default().add(time, event);
        }
    };
    let mut read = read::read(&sources, &Progress::new(which.json), &mut take)?;
    read.skipped.extend(skipped);
    let mut counts: Vec<(String, Count)> =
        counts.into_iter().filter(|(_, count)| count.users() >= which.min_users).collect();
    // Stable: what is wanted as much stays in the order of names.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse((count.users(), count.launches)));
    let sources = sources.iter().map(Source::name).collect();
    Ok(Tally { counts, sources, hits, read })
}

impl Tally {
    /// Leaves out what does not fit, the least wanted.
    pub(crate) fn limit(&mut self, which: &Which) {
        self.counts.truncate(which.limit.unwrap_or(usize::MAX));
    }

    /// The earliest and the latest time in the logs.
    pub(crate) fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.read.range.map(|range| range.from), self.read.range.map(|range| range.to))
    }

    /// What was read, in a line for people.
    ///
    /// # Errors
    /// If the logs have no line with a time: it is something else.
    pub(crate) fn described(&self) -> Result<String, Failure> {
        if let Some(range) = self.read.range {
            let names = self.sources.iter();
            let was_read = |name: &&String| !self.read.skipped.iter().any(|one| one.path == **name);
            let names: Vec<&str> = names.filter(was_read).map(String::as_str).collect();
            let (from, to) = (format::minute(range.from), format::minute(range.to));
            return Ok(format!("{}: {from} to {to}", names.join(", ")));
        }
        let skipped = self.read.skipped.iter().map(|one| format!("{}: {}", one.path, one.why));
        let unread = self.read.unread.remark();
        let message: Vec<String> = skipped.chain(unread).collect();
        Err(Failure::new(Exit::DATA, message.join("\n")))
    }

    /// What the reader should know beside the result, a line each.
    pub(crate) fn remarks(&self) -> String {
        self.read.remarks().iter().map(|remark| format!("note: {remark}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn days_and_times_ago() {
        assert!(moment("2026-11-24").is_ok());
        assert!(moment("2026-11-24T03:00:00Z").is_ok());
        assert!(moment("30d").unwrap() < moment("1h").unwrap());
        assert!(moment("yesterday").unwrap_err().contains("nor a day"));
    }
}
