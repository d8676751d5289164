//! Determines from all lines of a log at what times each host wrote.

use super::coverage::{Span, Spans};
use super::{header, json, stamp};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Maximum length of a time in bytes; all known forms are shorter.
const STAMP: usize = 48;
/// Maximum length of a host name.
const NAME: usize = 255;
/// Maximum number of hosts; a log with more names is not the log of a cluster.
const MOST: usize = 1 << 17;

/// One host of a log.
#[derive(Debug)]
struct Host {
    name: Vec<u8>,
    /// The time of its last line, as written.
    last: [u8; STAMP],
    length: usize,
    spans: Spans,
    /// The time of its last line of the plugin.
    used: Option<Timestamp>,
}

/// The hosts of one log.
#[derive(Debug)]
pub(super) struct Scan {
    now: Timestamp,
    hosts: Vec<Host>,
    places: HashMap<Vec<u8>, usize>,
    /// The index of the host of the previous line.
    current: usize,
    /// The last time that was parsed.
    time: Option<Timestamp>,
}

/// The data of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) spans: Spans,
    pub(super) used: Option<Timestamp>,
}

impl Scan {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, hosts: Vec::new(), places: HashMap::new(), current: 0, time: None }
    }

    /// Processes a line.
    pub(super) fn line(&mut self, line: &[u8]) {
        if let Some(header) = header::read(line) {
            let Some(host) = self.place(header.host.unwrap_or_default()) else { return };
            self.current = host;
            let Some(host) = self.hosts.get_mut(host) else { return };
            let stamp = header.stamp.get(..STAMP).unwrap_or(header.stamp);
            // Parsing the times of millions of lines takes longer than reading the lines, so a time
            // is only parsed when its hour changes.
            if !is_same_hour(host.last.get(..host.length).unwrap_or_default(), stamp) {
                self.time = host.settle(self.now).or(self.time);
                self.time = host.saw(stamp::moment(stamp, self.now), self.now).or(self.time);
            }
            if let Some(last) = host.last.get_mut(..stamp.len()) {
                last.copy_from_slice(stamp);
                host.length = stamp.len();
            }
        } else if matches!(line.first(), Some(b'{' | b'd' | 0x1e)) {
            self.object(&String::from_utf8_lossy(line));
        }
    }

    /// Processes a line of JSON.
    fn object(&mut self, line: &str) {
        let Some(entry) = json::object(line).and_then(json::Entry::parse) else { return };
        let Some(place) = self.place(entry.host().unwrap_or_default().as_bytes()) else { return };
        self.current = place;
        let Some(host) = self.hosts.get_mut(place) else { return };
        self.time = host.saw(entry.time(self.now), self.now).or(self.time);
    }

    fn place(&mut self, name: &[u8]) -> Option<usize> {
        if self.hosts.get(self.current).is_some_and(|host| host.name == name) {
            return Some(self.current);
        }
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if name.len() > NAME || self.hosts.len() >= MOST {
            return None;
        }
        let place = self.hosts.len();
        let (last, spans) = ([0; STAMP], Spans::default());
        self.hosts.push(Host { name: name.to_owned(), last, length: 0, spans, used: None });
        self.places.insert(name.to_owned(), place);
        Some(place)
    }

    /// Records that the plugin wrote the previous line.
    pub(super) fn was_ours(&mut self, time: Timestamp) {
        let host = self.hosts.get_mut(self.current);
        if let Some(host) = host {
            host.used = host.used.max(Some(time));
        }
    }

    /// The host of the previous line.
    pub(super) fn host(&self) -> String {
        self.hosts.get(self.current).map_or_else(String::new, |host| short(&host.name))
    }

    /// The approximate time of a line without a time: the time of the previous line.
    pub(super) fn about(&self) -> Option<Timestamp> {
        let host = self.hosts.get(self.current);
        let last = host.and_then(|host| host.last.get(..host.length));
        let last = last.and_then(|stamp| stamp::moment(stamp, self.now));
        last.filter(|time| *time <= stamp::tomorrow(self.now)).or(self.time)
    }

    /// The collected data by host name. Names have no domain; the name is empty if no line names a
    /// host.
    pub(super) fn finish(mut self) -> BTreeMap<String, Found> {
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        for host in &mut self.hosts {
            host.settle(self.now);
            let found = all.entry(short(&host.name)).or_default();
            found.spans.add_all(&host.spans);
            found.used = found.used.max(host.used);
        }
        all
    }
}

impl Host {
    /// Adds the time of the host's last line.
    fn settle(&mut self, now: Timestamp) -> Option<Timestamp> {
        let last = self.last.get(..self.length).unwrap_or_default();
        let time = stamp::moment(last, now);
        self.saw(time, now)
    }

    fn saw(&mut self, time: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let time = time.filter(|time| *time <= stamp::tomorrow(now))?;
        self.spans.add(Span::at(time));
        Some(time)
    }
}

/// Whether two times are equal up to the hour. A time without a colon is a number of seconds, whose
/// first seven digits are constant for about a quarter of an hour.
fn is_same_hour(one: &[u8], other: &[u8]) -> bool {
    let hour = memchr::memchr(b':', one).unwrap_or(6);
    one.len() > hour && one.get(..=hour) == other.get(..=hour)
}

/// A host name without its domain, in lower case; an IP address is unchanged.
pub(super) fn short(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let first = name.split('.').next().unwrap_or(&name);
    let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { name.into_owned() } else { first.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::{Scan, short};
    use jiff::Timestamp;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn seen(lines: &[&str]) -> Vec<(String, String, String)> {
        let mut scan = Scan::new("2026-11-24T00:00:00Z".parse().unwrap());
        lines.iter().for_each(|line| scan.line(line.as_bytes()));
        let hosts = scan.finish().into_iter().flat_map(|(host, found)| {
            let spans: Vec<_> = found.spans.iter().collect();
            spans.into_iter().map(move |s| (host.clone(), s.from.to_string(), s.to.to_string()))
        });
        hosts.collect()
    }

    fn times(spans: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        spans.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect()
    }

    #[test]
    fn the_span_of_a_host_reaches_from_its_first_to_its_last_line() {
        let lines = [
            "cut short at its start",
            "2026-11-20T01:00:00Z n1 a: b",
            "2026-11-20T01:30:00Z n2.example.org a: b",
            "2026-11-20T01:59:00Z n1 a: b",
            "2026-11-20T22:10:00Z N1 a: b",
            "2026-11-20T22:20:00Z n1 a: b",
            "2099-11-20T22:20:00Z n1 a: wrong clock",
            "2026-1",
        ];
        let expected = [
            ("n1", "2026-11-20T01:00:00Z", "2026-11-20T22:20:00Z"),
            ("n2", "2026-11-20T01:30:00Z", "2026-11-20T01:30:00Z"),
        ];
        assert_eq!(seen(&lines), times(&expected));
        assert_eq!(seen(&["nonsense", ""]), []);
    }

    /// The lines of one node stop for a while, but those of another node continue.
    #[test]
    fn a_gap_of_one_host_is_found() {
        let lines = [
            "2026-11-10T01:00:00Z n1 a: b",
            "2026-11-10T02:00:00Z n2 a: b",
            "2026-11-11T02:00:00Z n2 a: b",
            "2026-11-12T02:00:00Z n2 a: b",
            "2026-11-12T03:00:00Z n1 a: b",
        ];
        let expected = [
            ("n1", "2026-11-10T01:00:00Z", "2026-11-10T01:00:00Z"),
            ("n1", "2026-11-12T03:00:00Z", "2026-11-12T03:00:00Z"),
            ("n2", "2026-11-10T02:00:00Z", "2026-11-12T02:00:00Z"),
        ];
        assert_eq!(seen(&lines), times(&expected));
    }

    #[test]
    fn times_of_the_journal_are_compared() {
        let line = |hour: i64| {
            let time = day(20_000).as_microsecond() + hour * 3_600_000_000;
            format!(r#"{{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"{time}","_HOSTNAME":"n1"}}"#)
        };
        let lines: Vec<String> = [0, 12, 30, 100].map(line).into();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let [begin, end, late] = [0, 30, 100]
            .map(|hours| (day(20_000) + jiff::SignedDuration::from_hours(hours)).to_string());
        assert_eq!(seen(&lines), times(&[("n1", &begin, &end), ("n1", &late, &late)]));
    }

    #[test]
    fn host_names_are_shortened() {
        for (name, expected) in
            [("n1", "n1"), ("N1.example.org", "n1"), ("10.1.1.1", "10.1.1.1"), ("", "")]
        {
            assert_eq!(short(name.as_bytes()), expected);
        }
    }
}
