//! Numbers of commands, jobs and users.

use serde::Serialize;
use sifcache_core::decision::Kind;

/// The number of commands of each kind. A command that several tasks share counts once for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Commands {
    launches: u64,
    pulls: u64,
    builds: u64,
}

impl Commands {
    /// The headings of the columns, in the order of [`Self::cells`].
    pub(crate) const HEADINGS: [&str; 3] = ["LAUNCHES", "PULLS", "BUILDS"];

    pub(crate) fn cells(self) -> [String; 3] {
        [self.launches, self.pulls, self.builds].map(|number| number.to_string())
    }

    pub(crate) fn add(&mut self, kind: Kind, count: u64) {
        let number = match kind {
            Kind::Launch => &mut self.launches,
            Kind::Pull => &mut self.pulls,
            Kind::Build => &mut self.builds,
        };
        *number = number.saturating_add(count);
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.launches = self.launches.saturating_add(other.launches);
        self.pulls = self.pulls.saturating_add(other.pulls);
        self.builds = self.builds.saturating_add(other.builds);
    }

    pub(crate) fn total(self) -> u64 {
        self.launches.saturating_add(self.pulls).saturating_add(self.builds)
    }
}

/// A set of numbers of jobs or users. Most are small, and a few are inserted very often.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    all: Vec<u32>,
    /// This many are sorted and distinct.
    distinct: usize,
}

impl Numbers {
    pub(crate) fn insert(&mut self, number: u32) {
        if self.all.last() == Some(&number) {
            return;
        }
        self.all.push(number);
        // Duplicates use at most as much memory as the distinct numbers, and a little more.
        if self.all.len() > 2 * self.distinct + 8 {
            self.sort();
        }
    }

    pub(crate) fn insert_all(&mut self, other: Self) {
        self.all.extend(other.all);
        self.sort();
    }

    fn sort(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.distinct = self.all.len();
    }

    /// The number of distinct numbers.
    pub(crate) fn count(&self) -> usize {
        let mut all = self.all.clone();
        all.sort_unstable();
        all.dedup();
        all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn distinct_numbers_are_counted() {
        let mut numbers = Numbers::default();
        for number in (0..1000).chain(0..1000) {
            numbers.insert(number % 50);
            assert!(numbers.all.len() <= 2 * 50 + 9, "{}", numbers.all.len());
        }
        assert_eq!(numbers.count(), 50);
        let mut other = Numbers::default();
        [7, 7, 49, 50, 51, 50].into_iter().for_each(|number| other.insert(number));
        assert_eq!(other.count(), 4);
        numbers.insert_all(other);
        assert_eq!(numbers.count(), 52);
    }
}
