//! Counts by day. A part of a log covers few days, and a line usually belongs to the day of the line
//! before it, so a line costs two comparisons.

use crate::events::count::Outcomes;
use crate::events::head::Head;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The counts of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OfDay {
    pub(crate) outcomes: Outcomes,
    /// The sizes of the images of all hits, in bytes.
    pub(crate) bytes: u64,
    /// The number of hits whose image has an unknown size.
    pub(crate) unknown: u64,
}

impl OfDay {
    /// Counts a command whose image has this size.
    fn add(&mut self, head: &Head, size: Option<u64>) {
        self.outcomes.add(head);
        match size {
            Some(size) if head.is_hit => {
                self.bytes = self.bytes.saturating_add(size.saturating_mul(head.count));
            }
            None if head.is_hit => self.unknown = self.unknown.saturating_add(head.count),
            _ => {}
        }
    }

    fn add_all(&mut self, other: &Self) {
        self.outcomes.add_all(other.outcomes);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }
}

/// The counts of days in this host's time zone, in no particular order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Days {
    all: Vec<Row>,
    /// The index of the day of the last command.
    last: usize,
}

#[derive(Debug, Clone)]
struct Row {
    day: Date,
    /// The day lasts from this second to the one before `end`.
    begin: i64,
    end: i64,
    counts: OfDay,
}

impl Days {
    /// Counts a command whose image has this size.
    pub(super) fn add(&mut self, head: &Head, time: Timestamp, size: Option<u64>) {
        let second = time.as_second();
        let is_it = |row: &Row| (row.begin..row.end).contains(&second);
        if !self.all.get(self.last).is_some_and(is_it) {
            self.last = self.all.iter().position(is_it).unwrap_or(self.all.len());
            if self.last == self.all.len() {
                self.all.push(Row::of(time));
            }
        }
        if let Some(row) = self.all.get_mut(self.last) {
            row.counts.add(head, size);
        }
    }

    /// Adds the counts of another part.
    pub(super) fn add_all(&mut self, other: &Self) {
        for row in &other.all {
            match self.all.iter_mut().find(|one| one.day == row.day) {
                Some(one) => one.counts.add_all(&row.counts),
                None => self.all.push(row.clone()),
            }
        }
    }

    /// The days in their order.
    pub(crate) fn sorted(&self) -> Vec<(Date, OfDay)> {
        let mut all: Vec<(Date, OfDay)> =
            self.all.iter().map(|row| (row.day, row.counts)).collect();
        all.sort_unstable_by_key(|(day, _)| *day);
        all
    }
}

impl Row {
    /// The day of a time.
    fn of(time: Timestamp) -> Self {
        let zoned = time.to_zoned(TimeZone::system());
        let begin = zoned.start_of_day().map_or(time, |begin| begin.timestamp()).as_second();
        let end = zoned.tomorrow().and_then(|next| next.start_of_day());
        let end = end.map_or(i64::MAX, |end| end.timestamp().as_second());
        Self { day: zoned.date(), begin, end, counts: OfDay::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Days, OfDay};
    use crate::events::count::{Commands, Outcomes};
    use crate::events::head::Head;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use sifcache_core::decision::Kind;

    fn head(is_hit: bool, count: u64) -> Head {
        Head { is_hit, job: None, uid: 1, kind: Kind::Launch, count }
    }

    #[test]
    fn hits_have_a_size() {
        let mut days = Days::default();
        let noon = Timestamp::from_second(1_795_910_400).unwrap();
        days.add(&head(true, 3), noon, Some(100));
        days.add(&head(true, 2), noon, None);
        days.add(&head(false, 5), noon, Some(7));
        let commands = |launches| Commands { launches, ..Commands::default() };
        let outcomes = Outcomes { hits: commands(5), misses: commands(5) };
        let counts: Vec<OfDay> = days.sorted().into_iter().map(|(_, counts)| counts).collect();
        assert_eq!(counts, [OfDay { outcomes, bytes: 300, unknown: 2 }]);
    }

    proptest! {
        /// Neither the order of the times nor the division into parts matters.
        #[test]
        fn each_time_counts_for_its_day(
            times in proptest::collection::vec((0..400i64, 0..86_400i64), 1..60),
            size in 1..20usize,
        ) {
            let times: Vec<Timestamp> = times
                .into_iter()
                .map(|(day, second)| Timestamp::from_second(day * 86_400 + second).unwrap())
                .collect();
            let mut all = Days::default();
            for part in times.chunks(size) {
                let mut days = Days::default();
                part.iter().for_each(|time| days.add(&head(true, 1), *time, Some(1)));
                all.add_all(&days);
            }
            let sorted = all.sorted();
            prop_assert!(sorted.is_sorted_by(|(one, _), (other, _)| one < other));
            for (day, counts) in sorted {
                let of_day = times.iter().filter(|time| {
                    time.to_zoned(jiff::tz::TimeZone::system()).date() == day
                });
                prop_assert_eq!(counts.bytes, u64::try_from(of_day.count()).unwrap());
            }
        }
    }
}
