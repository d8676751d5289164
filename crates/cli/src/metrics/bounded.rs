//! Counts by a label with too many values: only some of them are shown, and each increment is
//! counted in exactly one place, the label itself or the rest.
//!
//! The values that occur most are shown. A value that enters the list begins at zero, so that no
//! counter jumps, and the rest never shrinks. A value that leaves the list loses its counter. Values
//! outside of the list are counted in a table of fixed size (Misra and Gries, 1982), which decides
//! which value enters.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of values outside of the list that are counted.
const WAITING: usize = 1000;
/// The longest value in bytes. A longer one belongs to the rest.
const LONGEST: usize = 300;

/// Counters by a second label or labels.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Counts by a label with many values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounded {
    shown: BTreeMap<String, Shown>,
    /// The counts of all other values.
    rest: Counts,
    /// How often values outside of the list have occurred, approximately.
    waiting: BTreeMap<String, u64>,
}

/// A value in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    counts: Counts,
    /// How often it has occurred, also before it entered the list.
    weight: u64,
}

impl Bounded {
    /// Counts a value. At most `most` values are shown.
    pub(crate) fn add(&mut self, value: &str, counter: &str, count: u64, most: usize) {
        if !self.shown.contains_key(value) && value.len() <= LONGEST {
            self.admit(value, count, most);
        }
        let counts = match self.shown.get_mut(value) {
            Some(shown) => {
                shown.weight = shown.weight.saturating_add(count);
                &mut shown.counts
            }
            None => &mut self.rest,
        };
        increase(counts, counter, count);
    }

    /// Shows a value, if there is room or if it occurs more often than one of those in the list.
    fn admit(&mut self, value: &str, count: u64, most: usize) {
        if self.shown.len() < most {
            let weight = self.waiting.remove(value).unwrap_or_default();
            self.shown.insert(value.to_owned(), Shown { weight, ..Shown::default() });
            return;
        }
        if most == 0 {
            return;
        }
        let weight = self.wait(value, count);
        let least = self.shown.iter().min_by_key(|(_, shown)| shown.weight);
        if let Some((least, lowest)) = least.map(|(name, shown)| (name.clone(), shown.weight))
            && weight > lowest
        {
            self.shown.remove(&least);
            self.waiting.remove(value);
            self.waiting.insert(least, lowest);
            let weight = weight.saturating_sub(count);
            self.shown.insert(value.to_owned(), Shown { weight, ..Shown::default() });
        }
    }

    /// Counts a value outside of the list, and returns a lower bound of its occurrences.
    fn wait(&mut self, value: &str, count: u64) -> u64 {
        if !self.waiting.contains_key(value) && self.waiting.len() >= WAITING {
            let least = self.waiting.values().min().copied().unwrap_or_default().min(count);
            self.waiting.retain(|_, weight| {
                *weight = weight.saturating_sub(least);
                *weight > 0
            });
            return 0;
        }
        increase(&mut self.waiting, value, count);
        self.waiting.get(value).copied().unwrap_or_default()
    }

    /// Shows at most `most` values from now on. Those that occur least leave the list.
    pub(crate) fn limit(&mut self, most: usize) {
        while self.shown.len() > most {
            let least = self.shown.iter().min_by_key(|(_, shown)| shown.weight);
            let Some(least) = least.map(|(name, _)| name.clone()) else { break };
            self.shown.remove(&least);
        }
    }

    /// The values in the list with their counts.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, &Counts)> {
        self.shown.iter().map(|(value, shown)| (value.as_str(), &shown.counts))
    }

    /// The counts of all other values.
    pub(crate) fn rest(&self) -> &Counts {
        &self.rest
    }
}

/// Increases a counter.
pub(crate) fn increase(counts: &mut Counts, counter: &str, count: u64) {
    match counts.get_mut(counter) {
        Some(number) => *number = number.saturating_add(count),
        None => drop(counts.insert(counter.to_owned(), count)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, WAITING};
    use proptest::prelude::*;

    fn shown(all: &Bounded) -> Vec<(String, u64)> {
        let sum = |counts: &super::Counts| counts.values().sum();
        all.shown().map(|(value, counts)| (value.to_owned(), sum(counts))).collect()
    }

    fn total(all: &Bounded) -> u64 {
        all.rest().values().sum()
    }

    #[test]
    fn values_that_occur_most_are_shown() {
        let mut all = Bounded::default();
        for value in ["a", "b", "c", "c"] {
            all.add(value, "hit", 1, 2);
        }
        // c is counted from its second time on.
        assert_eq!(shown(&all), [("b".to_owned(), 1), ("c".to_owned(), 1)]);
        assert_eq!(total(&all), 1);
        for _ in 0..3 {
            all.add("c", "hit", 1, 2);
        }
        all.add("a", "miss", 9, 2);
        assert_eq!(shown(&all), [("a".to_owned(), 9), ("c".to_owned(), 4)]);
        assert_eq!(total(&all), 1);
    }

    /// A value that has just entered the list does not leave it at once.
    #[test]
    fn a_value_keeps_its_weight() {
        let mut all = Bounded::default();
        for value in ["a", "b", "b", "c", "c"] {
            all.add(value, "hit", 1, 1);
        }
        assert_eq!(shown(&all), [("b".to_owned(), 1)]);
        all.add("c", "hit", 1, 1);
        assert_eq!(shown(&all), [("c".to_owned(), 1)]);
    }

    #[test]
    fn nothing_is_shown_with_a_limit_of_zero() {
        let mut all = Bounded::default();
        all.add("a", "hit", 3, 0);
        assert_eq!((shown(&all).len(), total(&all)), (0, 3));
        all.add("b", "hit", 3, 5);
        all.add("c", "hit", 4, 5);
        all.limit(1);
        assert_eq!((shown(&all), total(&all)), (vec![("c".to_owned(), 4)], 3));
        all.add(&"x".repeat(301), "hit", 1, 5);
        assert_eq!((shown(&all).len(), total(&all)), (1, 4));
    }

    proptest! {
        /// Whatever the order, no counter shrinks while it is shown, the rest never shrinks, each
        /// increment is counted once, and the memory is bounded.
        #[test]
        fn counters_only_grow(values in proptest::collection::vec((0_u16..4000, 1_u64..5), 1..3000)) {
            let mut all = Bounded::default();
            for (value, count) in values {
                // A few values are much more frequent than the others.
                let value = if value < 2000 { value % 7 } else { value }.to_string();
                let before: std::collections::BTreeMap<String, u64> =
                    shown(&all).into_iter().collect();
                let rest = total(&all);
                all.add(&value, "hit", count, 5);
                let mut grown = total(&all) - rest;
                for (value, number) in shown(&all) {
                    grown += number - before.get(&value).copied().unwrap_or_default();
                }
                prop_assert_eq!(grown, count);
                prop_assert!(all.shown.len() <= 5 && all.waiting.len() <= WAITING + 1);
            }
        }
    }
}
