//! The days below a chart.

use super::axis::Axis;
use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan as _};

/// The days of a chart. A day begins at its number, from 0, and ends at the next one.
pub(super) struct Days {
    first: Date,
    last: Date,
}

impl Days {
    pub(super) fn new(first: Date, last: Date) -> Self {
        Self { first, last: last.max(first) }
    }

    /// The number of days.
    pub(super) fn length(&self) -> f64 {
        self.at(self.last) + 1.0
    }

    /// Where the day begins, within the chart.
    pub(super) fn at(&self, day: Date) -> f64 {
        let days = self.first.duration_until(day.min(self.last)).as_hours() / 24;
        days.max(0) as f64
    }

    /// The axis, with at most this many labels.
    pub(super) fn axis(&self, most: usize) -> Axis {
        let labels = STEPS.iter().map(|step| self.labels(*step));
        let labels = labels.into_iter().find(|labels| labels.len() <= most).unwrap_or_default();
        Axis { end: self.length(), labels }
    }

    fn labels(&self, step: Step) -> Vec<(f64, String)> {
        let Some(start) = step.start(self.first) else { return Vec::new() };
        start
            .series(step.span())
            .take_while(|day| *day <= self.last)
            .filter(|day| *day >= self.first)
            // The label is below the middle of its day.
            .map(|day| (self.at(day) + 0.5, day.strftime(step.format()).to_string()))
            .collect()
    }
}

/// The distance between two labels.
#[derive(Debug, Clone, Copy)]
enum Step {
    Days(i64),
    Weeks(i64),
    Months(i64),
}

const STEPS: [Step; 11] = [
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(120),
];

impl Step {
    fn span(self) -> Span {
        match self {
            Self::Days(days) => days.days(),
            Self::Weeks(weeks) => weeks.weeks(),
            Self::Months(months) => months.months(),
        }
    }

    /// A round day that is not after the first one: a Monday, or the first of a decade.
    fn start(self, first: Date) -> Option<Date> {
        match self {
            Self::Days(_) => Some(first),
            Self::Weeks(_) => first.tomorrow().ok()?.nth_weekday(-1, Weekday::Monday).ok(),
            Self::Months(_) => Date::new(first.year() / 10 * 10, 1, 1).ok(),
        }
    }

    fn format(self) -> &'static str {
        if matches!(self, Self::Months(_)) { "%b %Y" } else { "%-d %b" }
    }
}

#[cfg(test)]
mod tests {
    use super::Days;
    use jiff::civil::date;

    fn labels(first: (i16, i8, i8), last: (i16, i8, i8), most: usize) -> Vec<String> {
        let day = |(year, month, day)| date(year, month, day);
        let axis = Days::new(day(first), day(last)).axis(most);
        axis.labels.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn days_have_round_labels() {
        assert_eq!(labels((2026, 11, 29), (2026, 11, 29), 4), ["29 Nov"]);
        assert_eq!(labels((2026, 2, 27), (2026, 3, 2), 4), ["27 Feb", "28 Feb", "1 Mar", "2 Mar"]);
        // Mondays.
        let november = ["2 Nov", "9 Nov", "16 Nov", "23 Nov"];
        assert_eq!(labels((2026, 11, 2), (2026, 11, 29), 4), november);
        assert_eq!(labels((2026, 10, 31), (2026, 11, 29), 4), november);
        let autumn = ["Sep 2026", "Oct 2026", "Nov 2026", "Dec 2026"];
        assert_eq!(labels((2026, 9, 1), (2026, 12, 25), 4), autumn);
        let years = ["Jan 2024", "Jan 2025", "Jan 2026"];
        assert_eq!(labels((2023, 5, 5), (2026, 12, 5), 4), years);
        // Longer than any log.
        assert_eq!(labels((1900, 1, 1), (2026, 12, 31), 4), [""; 0]);
    }

    #[test]
    fn bars_of_days_are_next_to_each_other() {
        let days = Days::new(date(2026, 2, 27), date(2026, 3, 2));
        let at = |month, day| days.at(date(2026, month, day));
        assert_eq!((at(2, 27), at(2, 28), at(3, 1), at(3, 2)), (0.0, 1.0, 2.0, 3.0));
        assert_eq!(days.length(), 4.0);
        // Days outside of the chart are at its edge.
        assert_eq!((at(1, 1), at(12, 1)), (0.0, 3.0));
    }
}
