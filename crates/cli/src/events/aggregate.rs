//! Aggregates the events of many jobs, for `misses` and `hits`.

use crate::error::Failure;
use crate::events::count::{Commands, Numbers};
use crate::events::event::Event;
use crate::events::logs::read::{self, Read};
use crate::events::logs::source::{self, Source};
use crate::events::logs::tally::{Counts, Part, Place, Sizes, Tally};
use crate::events::logs::{self, Hits};
use crate::events::period::Period;
use crate::exit::Exit;
use crate::options::Site;
use crate::ui::format;
use crate::ui::progress::Progress;
use crate::ui::stderr;
use clap::Args;
use jiff::Timestamp;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Options that select events.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(crate) site: Site,
    #[command(flatten)]
    pub(crate) period: Period,
    /// Only references that at least this many users requested
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_users: usize,
    /// Print at most this many, most requested first; with 0, only how many there are
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Why and how often a candidate was refused.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The most recent reason.
    pub(crate) why: String,
    /// The number of commands whose log lines name this candidate.
    pub(crate) commands: u64,
}

/// The counts for one key. A log can name hundreds of thousands of images, so this is small.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) commands: Commands,
    /// The time of the last command.
    pub(crate) last: Timestamp,
    jobs: Numbers,
    users: Numbers,
    /// Candidates that were refused.
    pub(crate) refused: BTreeMap<PathBuf, Refusal>,
    /// Valid references contain no space, which separates two of them here.
    references: Box<str>,
}

impl Count {
    fn new(event: &Event, mut counts: Counts) -> Self {
        counts.jobs.shrink();
        counts.users.shrink();
        Self {
            commands: counts.commands,
            last: counts.last.unwrap_or_default().max(Timestamp::default()),
            jobs: counts.jobs,
            users: counts.users,
            refused: BTreeMap::new(),
            references: printed(&event.reference),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.commands.add_all(other.commands);
        self.last = self.last.max(other.last);
        self.jobs.insert_all(&other.jobs);
        self.users.insert_all(&other.users);
        let mut references: Vec<&str> = self.references().chain(other.references()).collect();
        references.sort_unstable();
        references.dedup();
        self.references = references.join(" ").into();
    }

    /// The number of different jobs.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.count()
    }

    /// The number of different users.
    pub(crate) fn users(&self) -> usize {
        self.users.count()
    }

    /// The references, in full form.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        self.references.split(' ')
    }
}

/// The full form of a reference, in memory of about the right size.
fn printed(reference: &Reference) -> Box<str> {
    let mut text = String::with_capacity(reference.typed().len() + "docker.io/library/".len());
    let _ = write!(text, "{reference}");
    text.into()
}

/// A key and its counts.
pub(crate) type Keyed = (Box<str>, Box<Count>);

/// The aggregated events.
#[derive(Debug)]
pub(crate) struct Aggregate {
    /// The counts by key, with the most requested keys first.
    pub(crate) counts: Vec<Keyed>,
    /// Names of the logs, for messages.
    pub(crate) sources: Vec<String>,
    /// When each image last served a job, for `last_used.json`.
    pub(crate) hits: Hits,
    /// Other data from the logs.
    pub(crate) read: Read,
}

/// What to collect from logs.
pub(crate) struct Wanted<'a> {
    /// The key of an event; events without a key are not counted.
    pub(crate) key: &'a (dyn Fn(&Event) -> Option<String> + Sync),
    /// Whether to collect when each image last served a job.
    pub(crate) hits: bool,
    /// The sizes of images, to count the bytes of hits by day.
    pub(crate) sizes: Option<Sizes<'a>>,
}

/// Reads the logs and counts the events.
///
/// # Errors
/// The period is empty, or this host has no log.
pub(crate) fn collect(which: &Which, wanted: &Wanted<'_>) -> Result<Aggregate, Failure> {
    let mut all = collect_all(&which.period, &Progress::new(which.json), wanted)?;
    all.counts.retain(|(_, count)| count.users() >= which.min_users);
    // The sort is stable, so equal counts remain in alphabetical order.
    all.counts
        .par_sort_by_cached_key(|(_, count)| Reverse((count.users(), count.commands.total())));
    Ok(all)
}

/// Like [`collect`], but with all keys in alphabetical order.
///
/// # Errors
/// The period is empty, or this host has no log.
pub(crate) fn collect_all(
    period: &Period,
    progress: &Progress,
    wanted: &Wanted<'_>,
) -> Result<Aggregate, Failure> {
    period.check()?;
    let (sources, skipped) = match period.log.is_empty() {
        true => source::of_this_host(period.since)?,
        false => {
            let mut known = HashSet::new();
            let paths = period.log.iter().filter(|path| known.insert(*path));
            (paths.cloned().map(Source::File).collect(), Vec::new())
        }
    };
    let tally = Tally::new(period.since, period.until).with_sizes(wanted.sizes);
    let mut read = read::read(&sources, progress, &tally);
    read.skipped.extend(skipped);
    let Found { counts, hits } = Found::of(tally, wanted);
    let sources = sources.iter().map(Source::name).collect();
    Ok(Aggregate { counts, sources, hits, read })
}

/// The candidates that one text names as refused.
struct Refused {
    place: Place,
    key: Box<str>,
    /// The commands with this text.
    commands: u64,
    /// Each candidate with the reason.
    candidates: Vec<(PathBuf, String)>,
}

/// The parsed texts of a tally.
#[derive(Default)]
struct Found {
    /// The counts of each key.
    counts: Vec<Keyed>,
    /// The times of all hits.
    hits: Hits,
}

impl Found {
    /// The counts of each key in alphabetical order, and the times of all hits.
    fn of(tally: Tally<'_>, wanted: &Wanted<'_>) -> Self {
        let parts: Vec<Part> = tally.into_parts().collect();
        let all = Mutex::new((Self::default(), Vec::new()));
        // The memory of a part is free when its texts have been parsed.
        parts.into_par_iter().for_each(|part| {
            let (of_part, refused) = Self::of_part(part, wanted);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.0.add(of_part);
            all.1.extend(refused);
        });
        let (mut all, refused) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.merge();
        all.refuse(refused);
        all
    }

    /// The counts of each text, and the refused candidates of keys.
    fn of_part(part: Part, wanted: &Wanted<'_>) -> (Self, Vec<Refused>) {
        let (mut found, mut refused) = (Self::default(), Vec::new());
        found.counts.reserve(part.len());
        part.each(&mut |mut event, of_text| {
            if let Some(time) = of_text.last_of_all.filter(|_| wanted.hits) {
                logs::note(&mut found.hits, time, &event);
            }
            if of_text.last.is_none() {
                return;
            }
            let Some(key) = (wanted.key)(&event).map(String::into_boxed_str) else { return };
            if !event.refused.is_empty() {
                refused.push(Refused {
                    place: of_text.place,
                    key: key.clone(),
                    commands: of_text.commands.total(),
                    candidates: std::mem::take(&mut event.refused),
                });
            }
            found.counts.push((key, Box::new(Count::new(&event, of_text))));
        });
        (found, refused)
    }

    fn add(&mut self, other: Self) {
        self.counts.extend(other.counts);
        self.hits.add(&other.hits);
    }

    /// Merges the counts of the same key.
    fn merge(&mut self) {
        self.counts.par_sort_unstable_by(|one, other| one.0.cmp(&other.0));
        self.counts.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1.merge(&next.1);
            }
            is_same
        });
    }

    /// Adds the refused candidates to the counts of their keys.
    fn refuse(&mut self, mut refused: Vec<Refused>) {
        // The last reason that was read is the most recent one.
        refused.sort_unstable_by_key(|one| one.place);
        for Refused { key, commands, candidates, .. } in refused {
            let place = self.counts.binary_search_by(|(other, _)| other.cmp(&key));
            if let Some((_, count)) = place.ok().and_then(|place| self.counts.get_mut(place)) {
                for (path, why) in candidates {
                    let refusal = count.refused.entry(path).or_default();
                    refusal.why = why;
                    refusal.commands = refusal.commands.saturating_add(commands);
                }
            }
        }
    }
}

/// The process ends soon after its last use of the counts. The kernel then frees their hundreds of
/// thousands of pieces of memory much faster than one call for each.
impl Drop for Aggregate {
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.counts));
    }
}

impl Aggregate {
    /// Keeps only the most requested keys, up to `--limit`. Returns the number of the others.
    pub(crate) fn limit(&mut self, which: &Which) -> usize {
        let before = self.counts.len();
        self.counts.truncate(which.limit.unwrap_or(usize::MAX));
        before.saturating_sub(self.counts.len())
    }

    /// The numbers of different jobs and of different users, over all keys.
    pub(crate) fn jobs_and_users(&self) -> (usize, usize) {
        let count = |numbers: fn(&Count) -> &Numbers| {
            let mut all = Numbers::default();
            self.counts
                .iter()
                .flat_map(|(_, count)| numbers(count).iter())
                .for_each(|number| all.insert(number));
            all.count()
        };
        rayon::join(|| count(|one| &one.jobs), || count(|one| &one.users))
    }

    /// The earliest and the latest time in the logs.
    pub(crate) fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.read.range.map(|range| range.from), self.read.range.map(|range| range.to))
    }

    /// Describes the logs and their time range in one line.
    ///
    /// # Errors
    /// No line has a time: a log could not be read, or none of the files is a log.
    pub(crate) fn described(&self) -> Result<String, Failure> {
        if let Some(range) = self.read.range {
            let names = self.sources.iter();
            let was_read = |name: &&String| !self.read.skipped.iter().any(|one| one.path == **name);
            let names: Vec<&str> = names.filter(was_read).map(String::as_str).collect();
            let (from, to) = (format::minute(range.from), format::minute(range.to));
            return Ok(format!("{}: {from} to {to}", names.join(", ")));
        }
        if let Some(failed) = self.read.failed.first() {
            return Err(failed.clone().into());
        }
        let skipped = self.read.skipped.iter().map(|one| format!("{}: {}", one.path, one.reason));
        let unread = self.read.unread.remark();
        Err(Failure::NotALog(skipped.chain(unread).collect()))
    }

    /// Names the logs that could not be read to their end, and returns the exit status.
    pub(crate) fn exit(&self) -> Exit {
        self.read.failed.iter().for_each(|failed| stderr::message(&failed.message()));
        if self.read.failed.is_empty() { Exit::OK } else { Exit::IO }
    }

    /// Remarks on the result, one per line.
    pub(crate) fn remarks(&self) -> String {
        self.read.remarks().iter().map(|remark| format!("note: {remark}\n")).collect()
    }
}
