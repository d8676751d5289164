//! The times of which logs know, told from the times of all their lines: whether an image
//! is unused can only be said of those.

use super::line;
use jiff::{SignedDuration, Timestamp};

/// A log in which nobody wrote anything for this long is taken to have no hole there: some
/// write once a day, and not always on the minute.
pub(crate) const QUIET: SignedDuration = SignedDuration::from_hours(36);
/// Logs of one host that follow each other overlap no more than this.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// So many bytes of a line tell the hour, and more in some forms; lines that are alike in
/// them were written within less than [`QUIET`].
const HOUR: usize = 13;

/// A time of which nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Later by a duration.
fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

impl Span {
    /// Whether this one ends about when the other begins, or later.
    pub(crate) fn leads_to(self, other: Self) -> bool {
        after(self.to, QUIET) >= other.from
    }

    /// Both, if nothing is missing between them.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        let joins = self.leads_to(other) && other.leads_to(self);
        let both = Self { from: self.from.min(other.from), to: self.to.max(other.to) };
        joins.then_some(both)
    }
}

/// The spans of one log.
#[derive(Debug)]
pub(super) struct Coverage {
    now: Timestamp,
    spans: Vec<Span>,
    last: Vec<u8>,
}

impl Coverage {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, spans: Vec::new(), last: Vec::new() }
    }

    /// Takes note of a line, and gives back another to be written over.
    pub(super) fn line(&mut self, line: &mut Vec<u8>) {
        // The times of millions of lines take longer to read than the lines.
        let is_new = line.starts_with(b"{") || line.get(..HOUR) != self.last.get(..HOUR);
        if is_new {
            self.finish();
            self.saw(line::time(&String::from_utf8_lossy(line), self.now));
        }
        std::mem::swap(line, &mut self.last);
    }

    /// Takes note of the last line.
    pub(super) fn finish(&mut self) {
        self.saw(line::time(&String::from_utf8_lossy(&self.last), self.now));
    }

    fn saw(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return };
        let one = Span { from: time, to: time };
        match self.spans.iter_mut().find_map(|span| Some((span.join(one)?, span))) {
            Some((both, span)) => *span = both,
            None => self.spans.push(one),
        }
    }

    /// What was seen: several spans where the log has holes, or is made of several.
    pub(super) fn spans(self) -> Vec<Span> {
        self.spans
    }
}

/// Of which time all of these logs know. Some of them follow each other, as those of one host
/// do that were rotated; others go side by side, as those of several hosts, and what one of
/// them does not know is missing.
pub(crate) fn common(spans: &[Span]) -> Option<Span> {
    let newest = spans.iter().map(|span| span.to).max()?;
    let now = Span { from: newest, to: newest };
    let fresh = chains(spans).into_iter().filter(|chain| chain.leads_to(now));
    let from = fresh.map(|chain| chain.from).max()?;
    Some(Span { from, to: newest })
}

/// Puts those together that follow each other.
fn chains(spans: &[Span]) -> Vec<Span> {
    let mut spans = spans.to_vec();
    spans.sort_by_key(|span| (span.from, span.to));
    let mut chains: Vec<Span> = Vec::new();
    for span in spans {
        let follows =
            |chain: &&mut Span| chain.leads_to(span) && chain.to <= after(span.from, OVERLAP);
        match chains.iter_mut().filter(follows).max_by_key(|chain| chain.to) {
            Some(chain) => chain.to = chain.to.max(span.to),
            None => chains.push(span),
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::{Coverage, Span, common};
    use jiff::Timestamp;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: day(from), to: day(to) }
    }

    fn seen(lines: &[&str]) -> Vec<(String, String)> {
        let mut coverage = Coverage::new("2026-11-24T00:00:00Z".parse().unwrap());
        for line in lines {
            coverage.line(&mut line.as_bytes().to_vec());
        }
        coverage.finish();
        coverage.spans().iter().map(|span| (span.from.to_string(), span.to.to_string())).collect()
    }

    fn times(spans: &[(&str, &str)]) -> Vec<(String, String)> {
        spans.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn first_and_last_line_of_a_log() {
        let lines = [
            "cut short at its start",
            "2026-11-20T01:00:00Z n1 a: b",
            "2026-11-20T01:59:00Z n1 a: b",
            "2026-11-20T22:10:00Z n1 a: b",
            "2026-11-20T22:20:00Z n1 a: b",
            "2099-11-20T22:20:00Z n1 a: wrong clock",
            "2026-1",
        ];
        assert_eq!(seen(&lines), times(&[("2026-11-20T01:00:00Z", "2026-11-20T22:20:00Z")]));
        assert_eq!(seen(&["nonsense", ""]), []);
    }

    #[test]
    fn a_hole_in_a_log_and_two_in_one() {
        let (old, new) = ("2026-11-10T01:00:00Z n1 a: b", "2026-11-20T01:00:00Z n1 a: b");
        let [old_time, new_time] = ["2026-11-10T01:00:00Z", "2026-11-20T01:00:00Z"];
        let (before, after) = ((old_time, old_time), (new_time, new_time));
        assert_eq!(seen(&[old, old, new, new]), times(&[before, after]));
        assert_eq!(seen(&[new, old]), times(&[after, before]));
    }

    #[test]
    fn journal_lines_begin_alike() {
        let line = |hour: i64| {
            let time = day(20_000).as_microsecond() + hour * 3_600_000_000;
            format!(r#"{{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"{time}"}}"#)
        };
        let lines: Vec<String> = [0, 12, 30, 100].map(line).into();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let [begin, end, late] = [0, 30, 100]
            .map(|hours| (day(20_000) + jiff::SignedDuration::from_hours(hours)).to_string());
        assert_eq!(seen(&lines), [(begin, end), (late.clone(), late)]);
    }

    #[test]
    fn logs_that_follow_each_other_and_logs_side_by_side() {
        for (spans, expected) in [
            (vec![span(20, 30)], Some(span(20, 30))),
            (vec![span(20, 30), span(10, 20), span(2, 9)], Some(span(2, 30))),
            (vec![span(2, 9), span(20, 30), span(12, 20)], Some(span(12, 30))),
            // Two hosts, one of which has thrown more away.
            (vec![span(2, 30), span(20, 30)], Some(span(20, 30))),
            (vec![span(2, 20), span(20, 30), span(12, 22), span(22, 30)], Some(span(12, 30))),
            // A host that is gone.
            (vec![span(2, 30), span(4, 9)], Some(span(2, 30))),
            (vec![], None),
        ] {
            assert_eq!(common(&spans), expected, "{spans:?}");
        }
    }
}
