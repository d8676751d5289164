//! The last time for each path.

use jiff::Timestamp;
use std::path::Path;

/// Duplicates of up to this many paths are kept.
const MOST: usize = 1 << 16;

/// Paths, each with its last time. A path may occur several times.
#[derive(Debug, Default)]
pub(crate) struct Times {
    all: Vec<(Box<Path>, Timestamp)>,
    /// This many are sorted and distinct.
    distinct: usize,
}

impl Times {
    pub(crate) fn record(&mut self, path: &Path, time: Timestamp) {
        self.all.push((path.into(), time));
        // Duplicates use at most as much memory as the distinct paths, and a little more.
        if self.all.len() > 2 * self.distinct + MOST {
            self.tidy();
        }
    }

    /// Adds other paths.
    pub(crate) fn add(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// The paths with their times. Of a path that occurs several times, the latest time counts.
    pub(crate) fn all(&self) -> &[(Box<Path>, Timestamp)] {
        &self.all
    }

    /// Keeps only the latest time of each path.
    fn tidy(&mut self) {
        self.all.sort_unstable_by(|one, other| {
            let [a, b] = [one, other].map(|(path, _)| path.as_os_str());
            a.cmp(b).then(other.1.cmp(&one.1))
        });
        self.all.dedup_by(|next, kept| next.0.as_os_str() == kept.0.as_os_str());
        self.distinct = self.all.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Times};
    use jiff::Timestamp;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    #[test]
    fn many_duplicates_use_little_memory() {
        let time = |second| Timestamp::from_second(second).unwrap();
        let (mut times, mut expected) = (Times::default(), BTreeMap::new());
        for number in 0..200_000 {
            let (path, second) = (PathBuf::from(format!("/{}", number % 70)), number * 7919 % 6007);
            times.record(&path, time(second));
            let last = expected.entry(path).or_insert(second);
            *last = second.max(*last);
            assert!(times.all.len() <= 140 + MOST, "{}", times.all.len());
        }
        let latest = |path: &Path| {
            let same = times.all().iter().filter(|(other, _)| **other == *path);
            same.map(|(_, time)| *time).max()
        };
        for (path, second) in expected {
            assert_eq!(latest(&path), Some(time(second)), "{path:?}");
        }
    }
}
