//! Numbers of commands, jobs and users.

use crate::events::head::Head;
use serde::Serialize;
use sifcache_core::decision::Kind;

/// The number of commands of each kind. A command that several tasks share counts once for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Commands {
    pub(crate) launches: u64,
    pub(crate) pulls: u64,
    pub(crate) builds: u64,
}

impl Commands {
    /// The headings of the columns, in the order of [`Self::cells`].
    pub(crate) const HEADINGS: [&str; 3] = ["LAUNCHES", "PULLS", "BUILDS"];

    /// The numbers as table cells.
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

/// The commands whose image was in the cache, and the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outcomes {
    pub(crate) hits: Commands,
    pub(crate) misses: Commands,
}

impl Outcomes {
    /// The outcome of one command.
    pub(crate) fn of(head: &Head) -> Self {
        let mut outcomes = Self::default();
        outcomes.add(head);
        outcomes
    }

    pub(crate) fn add(&mut self, head: &Head) {
        let commands = if head.is_hit { &mut self.hits } else { &mut self.misses };
        commands.add(head.kind, head.count);
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.hits.add_all(other.hits);
        self.misses.add_all(other.misses);
    }
}

/// The size of a set that needs no memory of its own.
const FEW: usize = 6;

/// A set of numbers of jobs or users. Most are small, and a few are inserted very often.
#[derive(Debug)]
pub(crate) enum Numbers {
    /// The first of these numbers are distinct; the others have no meaning.
    Few(u8, [u32; FEW]),
    Many(Box<Many>),
}

/// A larger set.
#[derive(Debug)]
pub(crate) struct Many {
    all: Vec<u32>,
    /// This many are sorted and distinct.
    distinct: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Few(0, [0; FEW])
    }
}

impl Numbers {
    /// Adds a number; a duplicate has no effect on [`Self::count`].
    pub(crate) fn insert(&mut self, number: u32) {
        match self {
            Self::Few(length, all) => {
                let few = all.get(..usize::from(*length)).unwrap_or_default();
                if few.contains(&number) {
                    return;
                }
                match all.get_mut(usize::from(*length)) {
                    Some(free) => {
                        *free = number;
                        *length += 1;
                    }
                    None => {
                        let mut many = Many::of(all);
                        many.insert(number);
                        *self = Self::Many(Box::new(many));
                    }
                }
            }
            Self::Many(many) => many.insert(number),
        }
    }

    /// Adds a set. The result uses no more memory than it needs.
    pub(crate) fn insert_all(&mut self, other: &Self) {
        let all = match other {
            Self::Few(length, all) => all.get(..usize::from(*length)).unwrap_or_default(),
            Self::Many(many) => &many.all,
        };
        match self {
            Self::Many(many) => many.all.extend(all),
            Self::Few(..) => all.iter().for_each(|number| self.insert(*number)),
        }
        self.shrink();
    }

    /// Removes duplicates, and frees the memory that is reserved for further numbers.
    pub(crate) fn shrink(&mut self) {
        if let Self::Many(many) = self {
            many.sort();
            many.all.shrink_to_fit();
        }
    }

    /// The numbers. A number can occur several times.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let all = match self {
            Self::Few(length, all) => all.get(..usize::from(*length)).unwrap_or_default(),
            Self::Many(many) => &many.all,
        };
        all.iter().copied()
    }

    /// The number of distinct numbers.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Few(length, _) => (*length).into(),
            Self::Many(many) if many.distinct == many.all.len() => many.distinct,
            Self::Many(many) => {
                let mut all = many.all.clone();
                all.sort_unstable();
                all.dedup();
                all.len()
            }
        }
    }
}

impl Many {
    fn of(numbers: &[u32]) -> Self {
        let mut many = Self { all: numbers.to_vec(), distinct: 0 };
        many.sort();
        many
    }

    fn insert(&mut self, number: u32) {
        if self.all.last() == Some(&number) {
            return;
        }
        self.all.push(number);
        // Duplicates use at most as much memory as the distinct numbers, and a little more.
        if self.all.len() > 2 * self.distinct + 8 {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.distinct = self.all.len();
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn distinct_numbers_are_counted() {
        let mut numbers = Numbers::default();
        for number in (0..1000).chain(0..1000) {
            numbers.insert(number % 50);
            let Numbers::Many(many) = &numbers else { continue };
            assert!(many.all.len() <= 2 * 50 + 9, "{}", many.all.len());
        }
        assert_eq!(numbers.count(), 50);
        let mut other = Numbers::default();
        [7, 7, 49, 50, 51, 50].into_iter().for_each(|number| other.insert(number));
        assert_eq!(other.count(), 4);
        numbers.insert_all(&other);
        assert_eq!(numbers.count(), 52);
        other.insert_all(&numbers);
        assert_eq!(other.count(), 52);
    }

    #[test]
    fn a_small_set_needs_no_memory_of_its_own() {
        let mut numbers = Numbers::default();
        for number in [1, 2, 3, 1, 5, 9, 2, 7] {
            numbers.insert(number);
        }
        assert!(matches!(numbers, Numbers::Few(6, _)), "{numbers:?}");
        assert_eq!(std::mem::size_of::<Numbers>(), 32);
        numbers.insert(8);
        assert!(matches!(numbers, Numbers::Many(_)), "{numbers:?}");
        assert_eq!(numbers.count(), 7);
    }

    proptest! {
        #[test]
        fn a_set_has_the_size_of_a_set(
            all in proptest::collection::vec(0..40u32, 0..60),
            others in proptest::collection::vec(0..40u32, 0..60),
        ) {
            let of = |all: &[u32]| {
                let mut numbers = Numbers::default();
                all.iter().for_each(|number| numbers.insert(*number));
                numbers
            };
            let (mut numbers, mut set) = (of(&all), HashSet::<u32>::from_iter(all));
            prop_assert_eq!(numbers.count(), set.len());
            numbers.insert_all(&of(&others));
            set.extend(others);
            prop_assert_eq!(numbers.count(), set.len());
            numbers.shrink();
            prop_assert_eq!(numbers.count(), set.len());
        }
    }
}
