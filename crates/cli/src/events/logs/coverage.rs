//! The times that logs cover. An image can only be called unused for these times.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A period of up to this length without lines is not a gap in a log: some nodes write only once a
/// day, and not always at the same minute.
pub(crate) const QUIET: SignedDuration = SignedDuration::from_hours(36);
/// A log with no line of the plugin for up to this long is still assumed to receive the plugin's
/// lines.
const SILENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The period before and after an unparsable line that counts as unknown. It is longer than
/// [`QUIET`], so that the spans on both sides are not joined.
const UNREAD: SignedDuration = SignedDuration::from_hours(37);
/// Maximum number of spans per node; older ones are dropped.
const MOST: usize = 16;

/// A time span without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    /// Inclusive.
    pub(crate) to: Timestamp,
}

/// A time plus a duration, saturating.
fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// A time minus a duration, saturating.
fn before(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

impl Span {
    /// A single point in time.
    pub(crate) fn at(time: Timestamp) -> Self {
        Self { from: time, to: time }
    }

    /// The period that is unknown because of an unreadable line with this time.
    pub(crate) fn unread(time: Timestamp) -> Self {
        Self { from: before(time, UNREAD), to: after(time, UNREAD) }
    }

    /// Whether this span ends at most [`QUIET`] before the other one begins.
    pub(crate) fn leads_to(self, other: Self) -> bool {
        after(self.to, QUIET) >= other.from
    }

    /// The union of both, if there is no gap between them.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        let joins = self.leads_to(other) && other.leads_to(self);
        let both = Self { from: self.from.min(other.from), to: self.to.max(other.to) };
        joins.then_some(both)
    }
}

/// Spans in chronological order, separated by gaps.
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

    /// Adds a span, and joins it with adjacent ones.
    pub(crate) fn add(&mut self, span: Span) {
        // A log without gaps has only one.
        if let [only] = self.0.as_mut_slice()
            && let Some(joined) = only.join(span)
        {
            *only = joined;
            return;
        }
        let mut span = span;
        // The joined span may touch further ones.
        while let Some(at) = self.0.iter().position(|one| one.join(span).is_some()) {
            let one = self.0.remove(at);
            span = one.join(span).unwrap_or(span);
        }
        let place = self.0.iter().position(|one| one.from > span.from).unwrap_or(self.0.len());
        self.0.insert(place, span);
        let many = self.0.len().saturating_sub(MOST);
        self.0.drain(..many);
    }

    /// Adds a period that is unknown. It is joined only with spans that overlap it, and is never
    /// dropped.
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

    /// Removes these times.
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

/// Adds to `known` the periods between two of its spans that `silent` covers. Such a period belongs
/// to a log of a few days without lines of the plugin, between other logs of the same node that
/// have such lines. Times after the last span of `known` stay in `silent`, because a later log may
/// confirm them; the rest of `silent` is dropped.
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
    fn adjacent_spans_are_joined() {
        assert_eq!(spans(&[(20, 30), (2, 9), (10, 20)]), spans(&[(2, 30)]));
        assert_eq!(spans(&[(20, 30), (2, 9), (12, 20)]).iter().count(), 2);
        assert_eq!(spans(&[(1, 2), (5, 6), (9, 10), (1, 10)]).iter().count(), 1);
        let newest = spans(&[(20, 30), (2, 9)]).newest().unwrap();
        assert_eq!((newest.from, newest.to), (day(20), day(30)));
        let many: Vec<(i64, i64)> = (0..40).map(|n| (n * 10, n * 10 + 1)).collect();
        assert_eq!(spans(&many).iter().count(), super::MOST);
    }

    #[test]
    fn the_time_around_an_unreadable_line_is_unknown() {
        let mut one = spans(&[(10, 30)]);
        let mut hole = Spans::default();
        hole.add(Span::unread(day(20)));
        one.cut(&hole);
        let [early, late] = [one.iter().next().unwrap(), one.newest().unwrap()];
        assert!(early.to < day(19) && late.from > day(21), "{one:?}");
        // The next log does not close the gap; a log of the same period without the bad line does.
        one.add(Span { from: day(30), to: day(31) });
        assert_eq!(one.iter().count(), 2);
        one.add(Span { from: day(15), to: day(25) });
        assert_eq!(one, spans(&[(10, 31)]));
        // With one bad line per day, no time is covered.
        let mut all = spans(&[(10, 30)]);
        let mut holes = Spans::default();
        (10..=30).for_each(|number| holes.add(Span::unread(day(number))));
        all.cut(&holes);
        assert!(all.is_empty(), "{all:?}");
    }

    #[test]
    fn days_without_plugin_lines_are_confirmed_by_later_logs() {
        for (known, silent, expected, left) in [
            // The silent log lies between two logs with lines of the plugin.
            (vec![(10, 20), (24, 30)], vec![(20, 24)], vec![(10, 30)], vec![]),
            (vec![(10, 20), (24, 30)], vec![(20, 21)], vec![(10, 20), (24, 30)], vec![]),
            // The silent period is too long for a log that receives the plugin's lines.
            (vec![(10, 20), (30, 40)], vec![(20, 30)], vec![(10, 20), (30, 40)], vec![]),
            // Not confirmed yet.
            (vec![(10, 20)], vec![(20, 24)], vec![(10, 20)], vec![(20, 24)]),
            (vec![(10, 20)], vec![(2, 30)], vec![(10, 20)], vec![(20, 30)]),
            (vec![(10, 20)], vec![(24, 30)], vec![(10, 20)], vec![]),
            (vec![], vec![(20, 24)], vec![], vec![]),
        ] {
            let (mut known, mut silent) = (spans(&known), spans(&silent));
            confirm(&mut known, &mut silent);
            // The times are compared as pairs, because building `Spans` would join spans that have
            // come to touch.
            let plain =
                |spans: &Spans| spans.iter().map(|span| (span.from, span.to)).collect::<Vec<_>>();
            let days = |all: &[(i64, i64)]| {
                all.iter().map(|(from, to)| (day(*from), day(*to))).collect::<Vec<_>>()
            };
            assert_eq!((plain(&known), plain(&silent)), (days(&expected), days(&left)));
        }
    }
}
