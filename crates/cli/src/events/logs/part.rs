//! Processes a part of a log independently of the parts before it. The result is small, and
//! [`Scan`](super::scan::Scan) adds the results in the order of the parts.

use super::batch::Batch;
use super::chunks::{self, Chunk};
use super::clock::Clock;
use super::days::Days;
use super::header::{self, Header, Program};
use super::line::{self, Line};
use super::scan::{NAME, STAMP, is_same_hour};
use super::tally::{Added, Command, Place, Tally};
use super::{json, stamp};
use crate::events::count::Outcomes;
use crate::events::event::Event;
use crate::events::head::{self, Head};
use jiff::Timestamp;
use memchr::memmem::{FindIter, Finder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// The number of recent hosts. More than the nodes of most clusters.
const RECENT: usize = 1 << 10;

/// The result of a part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) chunk: Chunk,
    /// The hosts in the order of their first lines.
    pub(super) hosts: Vec<Host>,
    /// What depends on earlier lines, in the order of the lines.
    pub(super) steps: Vec<Step>,
    /// The host of the last line.
    pub(super) current: Option<usize>,
    /// The hits and misses that count, by day.
    pub(super) days: Days,
    /// The number of hits and misses.
    pub(super) events: u64,
    /// The number of lines that the plugin would not write, or that another user sent.
    pub(super) forged: u64,
}

/// A host that has lines in the part. Texts are ranges of the chunk.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: Range<usize>,
    /// A name that is not in the chunk in this form, because it is from a JSON object.
    pub(super) decoded: Option<String>,
    /// The time of its last line, as written and parsed; `None` if all of its lines are JSON.
    pub(super) last: Option<(Range<usize>, Option<Timestamp>)>,
    /// The time of its last line of the plugin.
    pub(super) used: Option<Timestamp>,
    /// The hits and misses that count.
    pub(super) outcomes: Outcomes,
}

impl Host {
    fn new(name: Range<usize>, decoded: Option<String>) -> Self {
        Self { name, decoded, last: None, used: None, outcomes: Outcomes::default() }
    }
}

/// A line whose meaning depends on earlier lines. Hosts are indices of [`Part::hosts`].
#[derive(Debug)]
pub(super) enum Step {
    /// The first line of a host in the part, with its time as written and parsed.
    First { host: usize, stamp: Range<usize>, time: Option<Timestamp> },
    /// A line in another hour than the line of the same host before it, and the times of both.
    Hour { host: usize, before: Option<Timestamp>, time: Option<Timestamp> },
    /// A JSON object.
    Object { host: usize, time: Option<Timestamp> },
    /// A hit or a miss from a node whose clock is ahead.
    Future { event: Box<Event>, after: After },
    /// A line of the plugin that could not be parsed, with its own time.
    Unread { line: String, time: Option<Timestamp>, after: After },
    /// A line of the plugin before any line with a host.
    Used(Timestamp, Outcomes),
}

/// The line before a step.
#[derive(Debug, Clone)]
pub(super) struct After {
    /// Its host; `None` if it is in an earlier part.
    pub(super) host: Option<usize>,
    /// Its time, if the host has a line with a time in this part.
    pub(super) time: Option<Option<Timestamp>>,
}

/// The data that all parts share.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) now: Timestamp,
    pub(super) finder: &'a Finder<'a>,
    pub(super) tally: &'a Tally<'a>,
}

impl Reader<'_> {
    /// Processes a chunk with this number.
    pub(super) fn read(&self, chunk: Chunk, number: u64) -> Part {
        let bytes = chunk.bytes();
        let mut state = State {
            reader: self,
            bytes,
            number,
            found: self.finder.find_iter(bytes),
            next: None,
            clock: Clock::new(self.now),
            places: HashMap::new(),
            recent: vec![None; RECENT],
            hosts: Vec::new(),
            steps: Vec::new(),
            batch: Batch::default(),
            current: None,
            days: Days::default(),
            events: 0,
            forged: 0,
        };
        state.next = state.found.next();
        chunks::lines(bytes, &mut |start, line| state.line(start, line));
        let State { hosts, steps, current, days, events, forged, .. } = state.finish();
        Part { hosts, steps, current, days, events, forged, chunk }
    }
}

struct State<'a> {
    reader: &'a Reader<'a>,
    bytes: &'a [u8],
    number: u64,
    /// The places of our program name in the chunk, and the next one.
    found: FindIter<'a, 'a>,
    next: Option<usize>,
    clock: Clock,
    places: HashMap<Cow<'a, [u8]>, usize>,
    /// Hosts of recent lines by a hash of their names, which is faster than a lookup in `places`.
    recent: Vec<Option<(&'a [u8], usize)>>,
    hosts: Vec<Host>,
    steps: Vec<Step>,
    /// Commands that are not counted yet. Their results do not depend on the order of the lines.
    /// Each has the index of the host that wrote its line.
    batch: Batch<'a, usize>,
    current: Option<usize>,
    days: Days,
    events: u64,
    forged: u64,
}

impl<'a> State<'a> {
    fn line(&mut self, start: usize, line: &'a [u8]) {
        let header = header::read(line);
        match &header {
            Some(header) => self.stamped(header),
            None if matches!(line.first(), Some(b'{' | b'd' | 0x1e)) => self.object(line),
            None => {}
        }
        let end = start + line.len();
        while self.next.is_some_and(|next| next < start) {
            self.next = self.found.next();
        }
        // A name in the part of a long line that was cut off does not count.
        if self.next.is_some_and(|next| next + header::TAG.len() <= end) {
            let place = (self.number, start);
            if !header.is_some_and(|header| self.usual(&header, line, place)) {
                // Lines of other forms remain in their order.
                self.count();
                self.ours(line, place, self.current);
            }
        }
    }

    /// A line that begins with a time.
    fn stamped(&mut self, header: &Header<'a>) {
        let stamp = header.stamp.get(..STAMP).unwrap_or(header.stamp);
        let Some(host) = self.host(header.host.unwrap_or_default()) else { return };
        self.current = Some(host);
        let range = self.range(stamp);
        let last = self.hosts.get(host).and_then(|host| host.last.as_ref());
        let last = last.map(|(last, _)| self.bytes.get(last.clone()).unwrap_or_default());
        match last {
            None => {
                let (stamp, time) = (range.clone(), self.clock.moment(stamp));
                self.steps.push(Step::First { host, stamp, time });
            }
            // Parsing the times of millions of lines takes longer than reading the lines, so a time
            // is only parsed when its hour changes.
            Some(last) if !is_same_hour(last, stamp) => {
                let [before, time] = [last, stamp].map(|stamp| self.clock.moment(stamp));
                self.steps.push(Step::Hour { host, before, time });
            }
            Some(_) => {}
        }
        if let Some(host) = self.hosts.get_mut(host) {
            host.last = Some((range, None));
        }
    }

    /// A line of JSON.
    fn object(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some(entry) = json::object(&line).and_then(json::Entry::parse) else { return };
        let Some(host) = self.decoded_host(entry.host().unwrap_or_default()) else { return };
        self.current = Some(host);
        self.steps.push(Step::Object { host, time: entry.time(self.reader.now) });
    }

    fn host(&mut self, name: &'a [u8]) -> Option<usize> {
        let at = mix(name) % RECENT;
        if let Some(Some((recent, host))) = self.recent.get(at)
            && *recent == name
        {
            return Some(*host);
        }
        let host = self.place(name)?;
        if let Some(recent) = self.recent.get_mut(at) {
            *recent = Some((name, host));
        }
        Some(host)
    }

    fn place(&mut self, name: &'a [u8]) -> Option<usize> {
        if let Some(host) = self.places.get(name) {
            return Some(*host);
        }
        if name.len() > NAME {
            return None;
        }
        let (host, range) = (self.hosts.len(), self.range(name));
        self.places.insert(name.into(), host);
        self.hosts.push(Host::new(range, None));
        Some(host)
    }

    /// The host of a name that is not in the chunk in this form.
    fn decoded_host(&mut self, name: &str) -> Option<usize> {
        if let Some(host) = self.places.get(name.as_bytes()) {
            return Some(*host);
        }
        if name.len() > NAME {
            return None;
        }
        let (host, decoded) = (self.hosts.len(), Some(name.to_owned()));
        self.places.insert(name.as_bytes().to_owned().into(), host);
        self.hosts.push(Host::new(0..0, decoded));
        Some(host)
    }

    /// The place of a text in the chunk.
    fn range(&self, text: &[u8]) -> Range<usize> {
        let start = text.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
        start..start + text.len()
    }

    /// Adds a line to the batch if it has the form in which the plugin and syslog daemons write it.
    /// Returns `false` for any other line.
    fn usual(&mut self, header: &Header<'a>, line: &'a [u8], place: Place) -> bool {
        let Program::Ours(message) = header.program else { return false };
        let is_trimmed = line.last().is_some_and(u8::is_ascii_graphic);
        if !is_trimmed || !line.is_ascii() {
            return false;
        }
        let Some((head, rest)) = head::split(message) else { return false };
        let Some(time) = self.clock.moment(header.stamp) else { return false };
        if time > stamp::tomorrow(self.reader.now) {
            return false;
        }
        let Some(host) = self.current else { return false };
        let command = Command { head, rest, time, place };
        self.batch.push(self.reader.tally, command, host);
        true
    }

    /// Counts the commands of the batch.
    fn count(&mut self) {
        let (mut batch, mut others) = (std::mem::take(&mut self.batch), Vec::new());
        batch.count(self.reader.tally, &mut |command, host, added| match added {
            Some(added) => self.event(Some(*host), &command.head, command.time, added),
            None => others.push((command.place, *host)),
        });
        self.batch = batch;
        others.sort_unstable();
        let bytes = self.bytes;
        for (place, host) in others {
            let rest = bytes.get(place.1..).unwrap_or_default();
            self.ours(chunks::first_line(rest), place, Some(host));
        }
    }

    fn event(&mut self, host: Option<usize>, head: &Head, time: Timestamp, added: Added) {
        self.events += 1;
        if added.counts {
            self.days.add(head, time, added.size);
        }
        match host.and_then(|host| self.hosts.get_mut(host)) {
            Some(host) => {
                host.used = host.used.max(Some(time));
                if added.counts {
                    host.outcomes.add(head);
                }
            }
            None => {
                let outcomes = if added.counts { Outcomes::of(head) } else { Outcomes::default() };
                self.steps.push(Step::Used(time, outcomes));
            }
        }
    }

    /// A line of any form with our name. `host` is the host of the last line that names one.
    fn ours(&mut self, line: &[u8], place: Place, host: Option<usize>) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        match line::read(line, self.reader.now) {
            Line::Event(time, event) => {
                if let Some((head, added)) = self.reader.tally.add_event(&event, time, place) {
                    self.event(host, &head, time, added);
                }
            }
            Line::Forged => self.forged += 1,
            Line::Future(event) => {
                let after = self.after(host);
                self.steps.push(Step::Future { event, after });
            }
            Line::Unread => {
                let (time, after) = (line::time(line, self.reader.now), self.after(host));
                self.steps.push(Step::Unread { line: line.to_owned(), time, after });
            }
            Line::Other => {}
        }
    }

    fn after(&mut self, host: Option<usize>) -> After {
        let last = host.and_then(|host| self.hosts.get(host)?.last.clone());
        let time = last.map(|(stamp, _)| self.moment(stamp));
        After { host, time }
    }

    fn moment(&mut self, stamp: Range<usize>) -> Option<Timestamp> {
        self.clock.moment(self.bytes.get(stamp).unwrap_or_default())
    }

    /// Counts the last commands, and parses the time of each host's last line.
    fn finish(mut self) -> Self {
        self.count();
        let mut hosts = std::mem::take(&mut self.hosts);
        for (stamp, time) in hosts.iter_mut().filter_map(|host| host.last.as_mut()) {
            *time = self.moment(stamp.clone());
        }
        self.hosts = hosts;
        self
    }
}

/// A hash of a name. An attacker can choose names with equal hashes, so it only selects an entry of
/// a small cache.
fn mix(name: &[u8]) -> usize {
    /// An odd number with random bits.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = name.as_chunks::<8>();
    let rest = rest.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
    let sum = words.fold(0, |sum: u64, word| (sum ^ word).wrapping_mul(FACTOR).rotate_left(32));
    usize::try_from(sum & 0xffff_ffff).unwrap_or_default()
}
