//! The times of which logs know: whether an image is unused can only be said of those.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A log in which nobody wrote anything for this long is taken to have no hole there: some
/// write once a day, and not always on the minute.
pub(crate) const QUIET: SignedDuration = SignedDuration::from_hours(36);
/// For so long a log may have no line of the plugin's and still be the log that has them.
const SILENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A line that cannot be read makes this much around it unknown; more than [`QUIET`], so that
/// what is on both sides does not join.
const UNREAD: SignedDuration = SignedDuration::from_hours(37);
/// More spans of one node than these are of no use to anybody.
const MOST: usize = 16;

/// A time of which nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Later by a duration.
fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// Earlier by a duration.
fn before(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

impl Span {
    /// One moment.
    pub(crate) fn at(time: Timestamp) -> Self {
        Self { from: time, to: time }
    }

    /// What a line of this time makes unknown, if it cannot be read.
    pub(crate) fn unread(time: Timestamp) -> Self {
        Self { from: before(time, UNREAD), to: after(time, UNREAD) }
    }

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

/// Several spans: in the order of time, and with a hole between each two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Spans(Vec<Span>);

impl Spans {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn newest(&self) -> Option<Span> {
        self.0.last().copied()
    }

    /// Adds a span, joined with what it touches.
    pub(crate) fn add(&mut self, span: Span) {
        let mut span = span;
        // What is joined may reach others in turn.
        while let Some(at) = self.0.iter().position(|one| one.join(span).is_some()) {
            let one = self.0.remove(at);
            span = one.join(span).unwrap_or(span);
        }
        let place = self.0.iter().position(|one| one.from > span.from).unwrap_or(self.0.len());
        self.0.insert(place, span);
        let many = self.0.len().saturating_sub(MOST);
        self.0.drain(..many);
    }

    /// Adds a span of what is not known: joined only with what it overlaps, and never dropped.
    pub(crate) fn add_wide(&mut self, span: Span) {
        let mut span = span;
        let overlaps = |one: &Span, span: Span| one.from <= span.to && one.to >= span.from;
        while let Some(at) = self.0.iter().position(|one| overlaps(one, span)) {
            let one = self.0.remove(at);
            span = Span { from: one.from.min(span.from), to: one.to.max(span.to) };
        }
        let place = self.0.iter().position(|one| one.from > span.from).unwrap_or(self.0.len());
        self.0.insert(place, span);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        other.iter().for_each(|span| self.add(span));
    }

    /// Takes these times out.
    pub(crate) fn cut(&mut self, holes: &Self) {
        for hole in holes.iter() {
            let parts = |span: Span| {
                let early = Span { from: span.from, to: span.to.min(hole.from) };
                let late = Span { from: span.from.max(hole.to), to: span.to };
                [early, late].into_iter().filter(|part| part.from < part.to)
            };
            let touches = |span: &Span| span.from <= hole.to && span.to >= hole.from;
            let all = self.0.iter().flat_map(|span| match touches(span) {
                true => parts(*span).collect(),
                false => vec![*span],
            });
            self.0 = all.collect();
        }
    }
}

/// Adds to `known` what lies between two of its spans and is covered by `silent`: a log of a
/// few days without a line of the plugin's, between others of the same node that have some.
/// What follows the last of `known` may become that later and stays in `silent`; the rest goes.
pub(crate) fn confirm(known: &mut Spans, silent: &mut Spans) {
    let mut all = known.clone();
    all.add_all(silent);
    let mut confirmed = Spans::default();
    let mut open = Spans::default();
    for piece in all.iter() {
        let inside = known.iter().filter(|span| span.from >= piece.from && span.to <= piece.to);
        let mut last: Option<Span> = None;
        for span in inside {
            let near = |last: &Span| after(last.to, SILENT) >= span.from;
            let joined = last.filter(near).map_or(span, |last| Span { from: last.from, ..span });
            confirmed.0.retain(|one| one.from != joined.from);
            confirmed.0.push(joined);
            last = Some(joined);
        }
        if let Some(last) = last.filter(|last| last.to < piece.to) {
            open = Spans(vec![Span { from: last.to, to: piece.to }]);
        }
    }
    let newest = confirmed.newest();
    open.0.retain(|span| newest.is_some_and(|newest| span.from >= newest.to));
    (*known, *silent) = (confirmed, open);
}

#[cfg(test)]
mod tests {
    use super::{Span, Spans, confirm};
    use jiff::Timestamp;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn spans(all: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        all.iter().for_each(|(from, to)| spans.add(Span { from: day(*from), to: day(*to) }));
        spans
    }

    #[test]
    fn what_touches_is_joined() {
        assert_eq!(spans(&[(20, 30), (2, 9), (10, 20)]), spans(&[(2, 30)]));
        assert_eq!(spans(&[(20, 30), (2, 9), (12, 20)]).iter().count(), 2);
        assert_eq!(spans(&[(1, 2), (5, 6), (9, 10), (1, 10)]).iter().count(), 1);
        let newest = spans(&[(20, 30), (2, 9)]).newest().unwrap();
        assert_eq!((newest.from, newest.to), (day(20), day(30)));
        let many: Vec<(i64, i64)> = (0..40).map(|n| (n * 10, n * 10 + 1)).collect();
        assert_eq!(spans(&many).iter().count(), super::MOST);
    }

    #[test]
    fn around_a_line_that_cannot_be_read_nothing_is_known() {
        let mut one = spans(&[(10, 30)]);
        let mut hole = Spans::default();
        hole.add(Span::unread(day(20)));
        one.cut(&hole);
        let [early, late] = [one.iter().next().unwrap(), one.newest().unwrap()];
        assert!(early.to < day(19) && late.from > day(21), "{one:?}");
        // The next log does not close the hole, the same time without that line does.
        one.add(Span { from: day(30), to: day(31) });
        assert_eq!(one.iter().count(), 2);
        one.add(Span { from: day(15), to: day(25) });
        assert_eq!(one, spans(&[(10, 31)]));
        // Every day one: nothing is left.
        let mut all = spans(&[(10, 30)]);
        let mut holes = Spans::default();
        (10..=30).for_each(|number| holes.add(Span::unread(day(number))));
        all.cut(&holes);
        assert!(all.is_empty(), "{all:?}");
    }

    #[test]
    fn days_without_a_line_of_ours() {
        for (known, silent, expected, left) in [
            // Between two logs that have some.
            (vec![(10, 20), (24, 30)], vec![(20, 24)], vec![(10, 30)], vec![]),
            (vec![(10, 20), (24, 30)], vec![(20, 21)], vec![(10, 20), (24, 30)], vec![]),
            // Too long to be a log that would have had some.
            (vec![(10, 20), (30, 40)], vec![(20, 30)], vec![(10, 20), (30, 40)], vec![]),
            // Not yet.
            (vec![(10, 20)], vec![(20, 24)], vec![(10, 20)], vec![(20, 24)]),
            (vec![(10, 20)], vec![(2, 30)], vec![(10, 20)], vec![(20, 30)]),
            (vec![(10, 20)], vec![(24, 30)], vec![(10, 20)], vec![]),
            (vec![], vec![(20, 24)], vec![], vec![]),
        ] {
            let (mut known, mut silent) = (spans(&known), spans(&silent));
            confirm(&mut known, &mut silent);
            // Spans that join only now are not to be joined by the comparison.
            let plain =
                |spans: &Spans| spans.iter().map(|span| (span.from, span.to)).collect::<Vec<_>>();
            let days = |all: &[(i64, i64)]| {
                all.iter().map(|(from, to)| (day(*from), day(*to))).collect::<Vec<_>>()
            };
            assert_eq!((plain(&known), plain(&silent)), (days(&expected), days(&left)));
        }
    }
}
