//! Reads logs, and collects their events and the lines that could not be parsed.

use super::chunks::Chunks;
use super::coverage::{Span, Spans};
use super::days::Days;
use super::evidence::Evidence;
use super::line;
use super::part::{Part, Reader};
use super::scan::{self, Scan, Unusual};
use super::source::{Failed, Skipped, Source};
use super::tally::Tally;
use super::{Hits, damage, header, journal, workers};
use crate::events::count::Outcomes;
use crate::events::event::Event;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use jiff::Timestamp;
use memchr::memmem::Finder;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::io;

/// Maximum length of an example line, in characters.
const EXAMPLE: usize = 200;

/// Data from the logs other than the events.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// The times that the logs cover, by node.
    pub(crate) evidence: Evidence,
    /// The hits and misses that count, by day.
    pub(crate) days: Days,
    /// The hosts that have lines, by their short names.
    pub(crate) hosts: BTreeMap<String, OfHost>,
    /// The earliest and the latest time of a line.
    pub(crate) range: Option<Span>,
    /// The number of lines with hits or misses.
    pub(crate) events: u64,
    /// The number of lines with our program name that the plugin would not write like this, or that
    /// another user sent.
    pub(crate) forged: u64,
    /// The plugin's lines with a time in the future.
    pub(crate) future: FutureLines,
    /// Lines that seem to be from the plugin but could not be parsed.
    pub(crate) unread: Unread,
    /// Files that were not read.
    pub(crate) skipped: Vec<Skipped>,
    /// Logs that could not be read to their end. The lines before the error are counted. Without the
    /// rest of the log, nothing proves that an image was unused before [`Failed::until`], so the
    /// evidence has no earlier times.
    pub(crate) failed: Vec<Failed>,
    /// Whether this user can only see a part of the journal.
    pub(crate) is_partial: bool,
}

/// Data about a host.
#[derive(Debug, Default)]
pub(crate) struct OfHost {
    /// The hits and misses that count.
    pub(crate) outcomes: Outcomes,
    /// The times between its first and its last lines. Unlike the evidence, they do not depend on
    /// whether lines could be read.
    pub(crate) spans: Spans,
}

/// Lines of nodes whose clock is ahead.
#[derive(Debug, Default)]
pub(crate) struct FutureLines {
    pub(crate) lines: u64,
    /// The images that were used according to these lines, with estimated times.
    pub(crate) hits: Hits,
    /// The first of these nodes.
    pub(crate) host: Option<String>,
}

/// Lines that could not be parsed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Unread {
    pub(crate) lines: u64,
    /// The first of these lines.
    example: Option<String>,
    /// The file that contains it.
    pub(crate) file: Option<String>,
    /// The times that are unknown because of these lines.
    #[serde(skip)]
    pub(crate) times: Spans,
    /// Whether some of them may be hits.
    #[serde(skip)]
    hits: bool,
}

/// Reads logs, and counts their hits and misses in `tally`. A log that cannot be read does not hide
/// the others: see [`Read::failed`].
pub(crate) fn read(sources: &[Source], progress: &Progress, tally: &Tally<'_>) -> Read {
    let now = Timestamp::now();
    let mut all = Read::default();
    let finder = Finder::new(header::TAG);
    let reader = Reader { now, finder: &finder, tally };
    let mut first = 0;
    let mut known = HashSet::new();
    for source in sources {
        if source.id().is_some_and(|id| !known.insert(id)) {
            let why = "it is a log that was read already: each line is counted once";
            all.skipped.push(source.skipped(why.to_owned()));
            continue;
        }
        let Some(mut chunks) = open(source, progress, &mut all) else { continue };
        let mut log = Log::new(source, now);
        let mut scan = Scan::new(now);
        let mut add = |part: &Part| {
            log.is_empty = false;
            log.events += part.events;
            all.forged += part.forged;
            all.days.add_all(&part.days);
            scan.add(part, &mut Others { log: &mut log, all: &mut all });
        };
        let (next, result) = workers::read(&mut chunks, reader, first, &mut add);
        first = next;
        log.error = result.err();
        log.finish(scan, &mut all);
    }
    all.evidence.cut(&all.unread.times);
    // One hole for all of them: it reaches back to the beginning of time.
    match all.failed.iter().map(|failed| failed.until).min() {
        None => {}
        Some(None) => all.evidence.forget_times(),
        Some(Some(_)) => {
            let to = all.failed.iter().filter_map(|failed| failed.until).max();
            all.evidence.forget_before(to.unwrap_or(Timestamp::MAX));
        }
    }
    all
}

/// Opens a log, or records why it is not read.
fn open(source: &Source, progress: &Progress, all: &mut Read) -> Option<Chunks> {
    match source.open(progress) {
        Ok(Ok(chunks)) => return Some(chunks),
        Ok(Err(skipped)) => all.skipped.push(skipped),
        Err(error) => all.failed.push(source.failed(error.to_string(), None)),
    }
    None
}

/// One log that is being read.
struct Log<'a> {
    source: &'a Source,
    now: Timestamp,
    /// The number of hits and misses in it.
    events: u64,
    /// Whether it has an unparsable line that may be a hit and whose time is unknown, because
    /// neither the line nor any line before it has a time.
    without_time: bool,
    is_empty: bool,
    /// Why the rest of it could not be read.
    error: Option<io::Error>,
}

/// Handles lines of the plugin other than ordinary hits and misses.
struct Others<'a, 'b> {
    log: &'a mut Log<'b>,
    all: &'a mut Read,
}

impl Unusual for Others<'_, '_> {
    fn future(&mut self, event: &Event, about: Option<Timestamp>, host: &dyn Fn() -> String) {
        let future = &mut self.all.future;
        future.lines += 1;
        // The image was in use at about the time of the surrounding lines.
        super::note(&mut future.hits, about.unwrap_or(self.log.now), event);
        future.host.get_or_insert_with(host);
    }

    fn unread(&mut self, line: &str, about: Option<Timestamp>) {
        let unread = &mut self.all.unread;
        unread.lines += 1;
        if unread.example.is_none() {
            unread.example = Some(line.trim().chars().take(EXAMPLE).collect());
            unread.file = Some(self.log.source.name());
        }
        // A lost miss only makes a count too small.
        if line.contains("event=miss") {
            return;
        }
        unread.hits = true;
        match about {
            Some(time) => unread.times.add_wide(Span::unread(time)),
            None => self.log.without_time = true,
        }
    }
}

impl<'a> Log<'a> {
    fn new(source: &'a Source, now: Timestamp) -> Self {
        Self { source, now, events: 0, without_time: false, is_empty: true, error: None }
    }

    /// Adds the data about the hosts.
    fn finish(self, scan: Scan, all: &mut Read) {
        let journal = match self.source {
            Source::Journal(since) => Some(of_journal(*since, self.now)),
            Source::File(_) => None,
        };
        let is_partial = journal.is_some() && !journal::is_whole();
        all.is_partial |= is_partial;
        let mut any = journal.flatten();
        for (name, found) in scan.finish() {
            let name = if journal.is_some() && name.is_empty() { this_host() } else { name };
            let of_host = all.hosts.entry(name.clone()).or_default();
            of_host.outcomes.add_all(found.outcomes);
            let node = all.evidence.node(&name);
            node.used = node.used.max(found.used);
            any = found.spans.iter().chain(any).reduce(both);
            // Only our entries were requested from the journal, but it covers all time since its
            // first entry.
            let mut spans = if journal.is_some() { Spans::default() } else { found.spans };
            journal.flatten().into_iter().for_each(|span| spans.add(span));
            of_host.spans.add_all(&spans);
            match () {
                // A part of the journal, or a log with unparsable lines of unknown time, is not
                // evidence.
                () if is_partial || self.without_time => {}
                () if self.events > 0 => node.spans.add_all(&spans),
                () => node.silent.add_all(&spans),
            }
        }
        let damage = || any.is_none().then(|| damage::not_compressed(self.source)).flatten();
        match self.error.as_ref().map(ToString::to_string).or_else(damage) {
            Some(why) => all.failed.push(self.source.failed(why, any.map(|span| span.to))),
            None if any.is_none() => {
                let why = match self.is_empty {
                    true => "it is empty",
                    false => "no line starts like a log line",
                };
                all.skipped.push(self.source.skipped(why.to_owned()));
            }
            None => {}
        }
        all.range = any.into_iter().chain(all.range).reduce(both);
        all.events += self.events;
    }
}

fn both(one: Span, other: Span) -> Span {
    Span { from: one.from.min(other.from), to: one.to.max(other.to) }
}

fn of_journal(since: Option<Timestamp>, now: Timestamp) -> Option<Span> {
    let first = line::time(&journal::first_line()?, now)?;
    Some(Span { from: since.map_or(first, |since| since.max(first)), to: now })
}

fn this_host() -> String {
    scan::short(rustix::system::uname().nodename().to_bytes())
}

impl Read {
    /// Whether the logs are evidence of use: they have lines of the plugin, and there are times
    /// without unparsable lines.
    pub(crate) fn says_something(&self) -> bool {
        self.events > 0 && !self.evidence.is_empty()
    }

    /// Remarks on the result, one sentence each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self
            .skipped
            .iter()
            .map(|one| format!("skipped {}: {}", one.path, one.reason))
            .collect();
        remarks.extend(self.unread.remark());
        remarks.extend(self.future.remark());
        match self.forged {
            0 => {}
            1 => remarks.push(
                "1 line with the plugin's name is incomplete or not from the plugin".to_owned(),
            ),
            n => remarks.push(format!(
                "{n} lines with the plugin's name are incomplete or not from the plugin"
            )),
        }
        if self.is_partial {
            let remark = "this user can read only a part of the journal, so the use of images is \
                          not saved: run this as root or as a member of the group systemd-journal";
            remarks.push(remark.to_owned());
        }
        let ours = self.events + self.unread.lines + self.future.lines;
        if self.range.is_some() && ours == 0 {
            let remark = "no line is from sifcache, so the use of images is not saved: check that \
                          this is the log of nodes that run jobs, and that it contains the site's \
                          syslog facility (journalctl's `cat` and `with-unit` leave out the name \
                          of the program: use --output=json)";
            remarks.push(remark.to_owned());
        }
        remarks
    }
}

impl FutureLines {
    /// A remark with the number of lines, and advice.
    pub(crate) fn remark(&self) -> Option<String> {
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        let whose =
            host.map_or_else(|| "its node".to_owned(), |host| escape_for_terminal(host.as_ref()));
        match self.lines {
            0 => None,
            1 => Some(format!("1 line has a time in the future: check the clock of {whose}")),
            lines => {
                Some(format!("{lines} lines have a time in the future: check the clock of {whose}"))
            }
        }
    }
}

impl Unread {
    /// A remark with the number of lines, an example, and advice.
    pub(crate) fn remark(&self) -> Option<String> {
        let (example, file) = (self.example.as_ref()?, self.file.as_ref()?);
        let lines = match self.lines {
            1 => "1 line of sifcache could not be read".to_owned(),
            lines => format!("{lines} lines of sifcache could not be read"),
        };
        let saved = match self.hits {
            true => ", so the use of images is not saved for the days around them",
            false => "",
        };
        let example = escape_for_terminal(example.as_ref());
        Some(format!(
            "{lines}{saved}. For example, in {file}: {example} -- give the log in a form of \
             docs/logs.md, such as `journalctl --output=json` or rsyslog's RSYSLOG_FileFormat"
        ))
    }
}
