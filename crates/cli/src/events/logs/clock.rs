//! Parses the times of many lines in the most common form, of which only minutes, seconds and
//! fractions change from line to line.

use super::stamp;
use jiff::Timestamp;

/// The length of `2026-11-24T03`.
const HOUR: usize = 13;
/// The length of the longest zone: `+01:00`.
const ZONE: usize = 6;

/// The number of hours that are remembered. The last lines of two hosts are often in different
/// hours, and their times are parsed in turn.
const HOURS: usize = 4;

/// A parser of times.
#[derive(Debug)]
pub(super) struct Clock {
    now: Timestamp,
    hours: [Hour; HOURS],
    /// The index of the hour that was used last, and of the next one to replace.
    last: usize,
    next: usize,
}

/// An hour that was parsed.
#[derive(Debug, Clone, Copy, Default)]
struct Hour {
    /// The hour and the zone as written.
    hour: [u8; HOUR],
    zone: [u8; ZONE],
    length: usize,
    /// The second since 1970 at which it began.
    start: i64,
}

impl Hour {
    fn is(&self, hour: &[u8; HOUR], zone: &[u8]) -> bool {
        self.hour == *hour && self.zone.get(..self.length) == Some(zone)
    }
}

impl Clock {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, hours: [Hour::default(); HOURS], last: 0, next: 0 }
    }

    /// The same result as [`stamp::moment`].
    pub(super) fn moment(&mut self, text: &[u8]) -> Option<Timestamp> {
        self.common(text).or_else(|| stamp::moment(text, self.now))
    }

    /// The time, if it has the form `2026-11-24T03:03:15.123456+00:00`. The fraction can be shorter
    /// or absent, and the zone can be `Z`.
    fn common(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (hour, rest) = text.split_first_chunk::<HOUR>()?;
        let [b':', m1, m2, b':', s1, s2, rest @ ..] = rest else { return None };
        let (minute, second) = (number(*m1, *m2)?, number(*s1, *s2)?);
        // 60 would be a leap second.
        if hour.get(10) != Some(&b'T') || minute > 59 || second > 59 {
            return None;
        }
        let (nanosecond, zone) = fraction(rest)?;
        let start = self.start(hour, zone)?;
        Timestamp::new(start + i64::from(minute) * 60 + i64::from(second), nanosecond).ok()
    }

    /// The second since 1970 at which the hour began.
    fn start(&mut self, hour: &[u8; HOUR], zone: &[u8]) -> Option<i64> {
        let is_zone = match zone {
            b"Z" => true,
            [b'+' | b'-', h1, h2, b':', m1, m2] => {
                [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit())
            }
            _ => false,
        };
        if !is_zone {
            return None;
        }
        let is_it = |known: &Hour| known.is(hour, zone);
        if let Some(known) = self.hours.get(self.last).filter(|known| is_it(known)) {
            return Some(known.start);
        }
        if let Some(index) = self.hours.iter().position(is_it) {
            self.last = index;
            return self.hours.get(index).map(|known| known.start);
        }
        let text = [hour.as_slice(), b":00:00", zone].concat();
        let start = stamp::moment(&text, self.now)?.as_second();
        // Before 1970, fractions count backwards.
        if start < 0 {
            return None;
        }
        let mut new = Hour { hour: *hour, length: zone.len(), start, ..Hour::default() };
        new.zone.iter_mut().zip(zone).for_each(|(to, from)| *to = *from);
        self.hours.get_mut(self.next).into_iter().for_each(|known| *known = new);
        (self.last, self.next) = (self.next, (self.next + 1) % HOURS);
        Some(start)
    }
}

fn number(tens: u8, ones: u8) -> Option<u8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// The nanoseconds after the second, and the rest of the text.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let (mut number, mut unit, mut length) = (0, 1_000_000_000, 0);
    while let Some(digit) = digits.get(length).filter(|byte| byte.is_ascii_digit()) {
        if unit == 1 {
            return None;
        }
        (number, unit, length) = (number * 10 + i32::from(digit - b'0'), unit / 10, length + 1);
    }
    (length > 0).then_some((number * unit, digits.get(length..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::events::logs::stamp;
    use jiff::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn common_and_other_forms_are_parsed() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut clock = Clock::new(now);
        for (text, is_common) in [
            ("2026-11-24T03:03:15.123456+00:00", true),
            ("2026-11-24T03:59:59+00:00", true),
            ("2026-11-24T03:59:59.5+01:00", true),
            ("2026-11-24T03:59:59.5-00:30", true),
            ("2026-11-24T03:03:15Z", true),
            ("1969-12-31T23:59:59.5Z", false),
            ("2026-11-24T03:03:60Z", false),
            ("2026-11-24T03:60:15Z", false),
            ("2026-13-24T03:03:15Z", false),
            ("2026-11-24T24:03:15Z", false),
            ("2026-11-24t03:03:15Z", false),
            ("2026-11-24T03:03:15", false),
            ("2026-11-24T03:03:15.Z", false),
            ("2026-11-24T03:03:15+1:00", false),
            ("2026-11-24T03:03:15+01", false),
            ("2026-11-24T03:03:15+99:99", false),
            ("Nov 24 03:03:15", false),
            ("1795889391.567", false),
            ("", false),
        ] {
            assert_eq!(clock.common(text.as_bytes()).is_some(), is_common, "{text}");
            assert_eq!(
                clock.moment(text.as_bytes()),
                stamp::moment(text.as_bytes(), now),
                "{text}"
            );
        }
    }

    /// More hours than are remembered, and some of them again.
    #[test]
    fn hours_are_told_apart() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut clock = Clock::new(now);
        for number in (0..9).chain([8, 7, 8, 0, 8]).chain((0..9).rev()) {
            for zone in ["Z", "+00:30", "+01:00"] {
                let text = format!("2026-11-24T0{number}:03:15{zone}");
                let expected: Timestamp = text.parse().unwrap();
                assert_eq!(clock.common(text.as_bytes()), Some(expected), "{text}");
                assert!(clock.hours.iter().any(|hour| hour.length == zone.len()));
            }
        }
    }

    proptest! {
        #[test]
        fn every_time_is_parsed_alike(
            texts in proptest::collection::vec(
                "(2026|1970|0000)-(0[1-9]|1[0-3])-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\
                 (\\.[0-9]{0,10})?(Z|z|[+-][0-2][0-9]:[0-9]{2}|)", 1..4),
        ) {
            let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
            let mut clock = Clock::new(now);
            for text in texts {
                prop_assert_eq!(clock.moment(text.as_bytes()), stamp::moment(text.as_bytes(), now));
            }
        }
    }
}
