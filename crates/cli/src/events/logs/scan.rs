//! Determines from all lines of a log at what times each host wrote.

use super::coverage::{Span, Spans};
use super::part::{After, Host as InPart, Part, Step};
use super::stamp;
use crate::events::count::Outcomes;
use crate::events::event::Event;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Maximum length of a time in bytes; all known forms are shorter.
pub(super) const STAMP: usize = 48;
/// Maximum length of a host name.
pub(super) const NAME: usize = 255;
/// Maximum number of hosts; a log with more names is not the log of a cluster.
const MOST: usize = 1 << 17;

/// One host of a log.
#[derive(Debug)]
struct Host {
    name: Vec<u8>,
    /// The time of its last line, as written and parsed.
    last: [u8; STAMP],
    length: usize,
    time: Option<Timestamp>,
    spans: Spans,
    /// The time of its last line of the plugin.
    used: Option<Timestamp>,
    outcomes: Outcomes,
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
    /// The hits and misses that count.
    pub(super) outcomes: Outcomes,
}

/// Receives lines of the plugin other than ordinary hits and misses.
pub(super) trait Unusual {
    /// A hit or a miss of a host whose clock is ahead, and the approximate time.
    fn future(&mut self, event: &Event, about: Option<Timestamp>, host: &dyn Fn() -> String);
    /// A line that could not be parsed, and its exact or approximate time.
    fn unread(&mut self, line: &str, about: Option<Timestamp>);
}

impl Scan {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, hosts: Vec::new(), places: HashMap::new(), current: 0, time: None }
    }

    /// Adds the next part of the log.
    pub(super) fn add(&mut self, part: &Part, unusual: &mut dyn Unusual) {
        let places: Vec<Option<usize>> =
            part.hosts.iter().map(|host| self.place(name(host, part))).collect();
        let place = |host: usize| places.get(host).copied().flatten();
        for step in &part.steps {
            self.step(step, part, &place, unusual);
        }
        for (host, of_part) in part.hosts.iter().enumerate() {
            let host = place(host).and_then(|host| self.hosts.get_mut(host));
            let Some(host) = host else { continue };
            host.used = host.used.max(of_part.used);
            host.outcomes.add_all(of_part.outcomes);
            if let Some((stamp, time)) = &of_part.last {
                host.is_last(part.chunk.bytes().get(stamp.clone()).unwrap_or_default(), *time);
            }
        }
        self.current = part.current.and_then(place).unwrap_or(self.current);
    }

    fn step(
        &mut self,
        step: &Step,
        part: &Part,
        place: &dyn Fn(usize) -> Option<usize>,
        unusual: &mut dyn Unusual,
    ) {
        let host = match step {
            Step::First { host, .. } | Step::Hour { host, .. } | Step::Object { host, .. } => {
                self.current = place(*host).unwrap_or(self.current);
                self.hosts.get_mut(self.current).filter(|_| place(*host).is_some())
            }
            _ => None,
        };
        let now = self.now;
        match (step, host) {
            (Step::First { stamp, time, .. }, Some(host)) => {
                let stamp = part.chunk.bytes().get(stamp.clone()).unwrap_or_default();
                if !is_same_hour(host.last.get(..host.length).unwrap_or_default(), stamp) {
                    self.time = host.saw(host.time, now).or(self.time);
                    self.time = host.saw(*time, now).or(self.time);
                }
            }
            (Step::Hour { before, time, .. }, Some(host)) => {
                self.time = host.saw(*before, now).or(self.time);
                self.time = host.saw(*time, now).or(self.time);
            }
            (Step::Object { time, .. }, Some(host)) => {
                self.time = host.saw(*time, now).or(self.time);
            }
            (Step::Future { event, after }, _) => {
                let about = self.about(after, place);
                // The real time is unknown. However, this node uses the cache.
                self.was_ours(now, Outcomes::default());
                unusual.future(event, about, &|| self.host());
            }
            (Step::Unread { line, time, after }, _) => {
                unusual.unread(line, time.or_else(|| self.about(after, place)));
            }
            (Step::Used(time, outcomes), _) => self.was_ours(*time, *outcomes),
            (_, None) => {}
        }
    }

    fn place(&mut self, name: &[u8]) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if name.len() > NAME || self.hosts.len() >= MOST {
            return None;
        }
        let place = self.hosts.len();
        self.places.insert(name.to_owned(), place);
        self.hosts.push(Host {
            name: name.to_owned(),
            last: [0; STAMP],
            length: 0,
            time: None,
            spans: Spans::default(),
            used: None,
            outcomes: Outcomes::default(),
        });
        Some(place)
    }

    /// Records that the plugin wrote the previous line.
    fn was_ours(&mut self, time: Timestamp, outcomes: Outcomes) {
        if let Some(host) = self.hosts.get_mut(self.current) {
            host.used = host.used.max(Some(time));
            host.outcomes.add_all(outcomes);
        }
    }

    /// The host of the previous line.
    fn host(&self) -> String {
        self.hosts.get(self.current).map_or_else(String::new, |host| short(&host.name))
    }

    /// The approximate time of a line without a time: the time of the line before it.
    fn about(
        &mut self,
        after: &After,
        place: &dyn Fn(usize) -> Option<usize>,
    ) -> Option<Timestamp> {
        self.current = after.host.and_then(place).unwrap_or(self.current);
        let earlier = || self.hosts.get(self.current).and_then(|host| host.time);
        let last = after.time.unwrap_or_else(earlier);
        last.filter(|time| *time <= stamp::tomorrow(self.now)).or(self.time)
    }

    /// The collected data by host name. Names have no domain; the name is empty if no line names a
    /// host.
    pub(super) fn finish(mut self) -> BTreeMap<String, Found> {
        let mut all: BTreeMap<String, Found> = BTreeMap::new();
        for host in &mut self.hosts {
            host.saw(host.time, self.now);
            let found = all.entry(short(&host.name)).or_default();
            found.spans.add_all(&host.spans);
            found.used = found.used.max(host.used);
            found.outcomes.add_all(host.outcomes);
        }
        all
    }
}

/// The name of a host of a part.
fn name<'a>(host: &'a InPart, part: &'a Part) -> &'a [u8] {
    let raw = || part.chunk.bytes().get(host.name.clone()).unwrap_or_default();
    host.decoded.as_deref().map_or_else(raw, str::as_bytes)
}

impl Host {
    /// Sets the time of the host's last line.
    fn is_last(&mut self, stamp: &[u8], time: Option<Timestamp>) {
        if let Some(last) = self.last.get_mut(..stamp.len()) {
            last.copy_from_slice(stamp);
            self.length = stamp.len();
        }
        self.time = time;
    }

    fn saw(&mut self, time: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let time = time.filter(|time| *time <= stamp::tomorrow(now))?;
        self.spans.add(Span::at(time));
        Some(time)
    }
}

/// Whether two times are equal up to the hour. A time without a colon is a number of seconds, whose
/// first seven digits are constant for about a quarter of an hour.
pub(super) fn is_same_hour(one: &[u8], other: &[u8]) -> bool {
    /// The length of `2026-11-24T03:`, which most times begin with.
    const USUAL: usize = 14;
    if let (Some(one), Some(other)) = (one.first_chunk::<USUAL>(), other.first_chunk())
        && one == other
        && one.ends_with(b":")
    {
        return true;
    }
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
    use super::{Scan, Unusual, is_same_hour, short};
    use crate::events::event::Event;
    use crate::events::logs::chunks::{Chunk, Chunks};
    use crate::events::logs::part::Reader;
    use crate::events::logs::tally::Tally;
    use crate::ui::progress::Progress;
    use jiff::Timestamp;
    use memchr::memmem::Finder;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    /// Lines of the plugin other than ordinary hits and misses.
    #[derive(Default)]
    struct Others(Vec<(String, Option<Timestamp>, String)>);

    impl Unusual for Others {
        fn future(&mut self, _: &Event, about: Option<Timestamp>, host: &dyn Fn() -> String) {
            self.0.push(("future".to_owned(), about, host()));
        }

        fn unread(&mut self, line: &str, about: Option<Timestamp>) {
            self.0.push((line.to_owned(), about, String::new()));
        }
    }

    /// Processes lines in parts of this many lines.
    fn scan(lines: &[&str], size: usize) -> (Scan, Others) {
        let now = "2026-11-24T00:00:00Z".parse().unwrap();
        let (mut scan, mut others) = (Scan::new(now), Others::default());
        let (tally, finder) = (Tally::new(None, None), Finder::new("sifcache"));
        let reader = Reader { now, finder: &finder, tally: &tally };
        for part in lines.chunks(size) {
            let text = Box::new(Cursor::new(part.join("\n")));
            let mut chunks = Chunks::new(text, Progress::new(true).reading("", 0));
            if let Some(chunk) = chunks.next(Chunk::default()).unwrap() {
                scan.add(&reader.read(chunk, 0), &mut others);
            }
        }
        (scan, others)
    }

    fn seen(lines: &[&str]) -> Vec<(String, String, String)> {
        let hosts = scan(lines, lines.len()).0.finish().into_iter().flat_map(|(host, found)| {
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
    fn hours_are_compared_in_all_forms() {
        for (one, other, expected) in [
            ("2026-11-24T03:03:15Z", "2026-11-24T03:59:00Z", true),
            ("2026-11-24T03:03:15Z", "2026-11-24T04:03:15Z", false),
            ("Tue 2026-11-24 03:03:15 UTC", "Tue 2026-11-24 03:59:00 UTC", true),
            ("Tue 2026-11-24 03:03:15 UTC", "Tue 2026-11-24 04:03:15 UTC", false),
            ("1795889391.567", "1795889999", true),
            ("1795889391.567", "1795881391.567", false),
        ] {
            assert_eq!(is_same_hour(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn host_names_are_shortened() {
        for (name, expected) in
            [("n1", "n1"), ("N1.example.org", "n1"), ("10.1.1.1", "10.1.1.1"), ("", "")]
        {
            assert_eq!(short(name.as_bytes()), expected);
        }
    }

    proptest! {
        /// Where a log is divided does not matter, not even if its times are out of order.
        #[test]
        fn parts_are_added_as_if_they_were_one(
            numbers in proptest::collection::vec((0..10usize, 0..60u32, 0..3u32), 1..40),
            size in 1..7usize,
        ) {
            let line = |(form, minute, host): (usize, u32, u32)| {
                let (day, hour) = (1 + minute % 5 * 4, minute / 20);
                let time = format!("2026-11-{day:02}T{hour:02}:{minute:02}:00Z");
                let event = "sifcache: event=hit uid=1 reference=o/i:1 image=/s/o/i:1";
                match form {
                    0..3 => format!("{time} n{host} a: b"),
                    3 => format!("{time} n{host} {event}"),
                    4 => format!("2099-11-24T00:00:00Z n{host} {event}"),
                    5 => format!("{time} n{host} sifcache: event=hit uid=1 refere"),
                    6 => "x sifcache: event=hit uid=1 reference=o/i:1 image=/s/o/i:1".to_owned(),
                    7 => format!(r#"{{"host":"n{host}","time":"{time}","program":"a"}}"#),
                    // The head is valid, but the rest is not.
                    8 => format!("{time} n{host} sifcache: event=hit uid=1 reference=o/i:{minute}"),
                    _ => String::new(),
                }
            };
            let lines: Vec<String> = numbers.into_iter().map(line).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let (whole, parts) = (scan(&lines, lines.len()), scan(&lines, size));
            prop_assert_eq!(&whole.1.0, &parts.1.0);
            prop_assert_eq!(whole.0.finish(), parts.0.finish());
        }
    }
}
