//! The last time for each path.

use jiff::Timestamp;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Duplicates of up to this many paths are kept.
const MOST: usize = 1 << 16;

/// Paths, each with its last time. A path may occur several times. The paths are stored in one
/// piece, because there can be hundreds of thousands, and so that their memory can be used again.
#[derive(Debug, Default)]
pub(crate) struct Times {
    paths: Vec<u8>,
    all: Vec<(Range<usize>, Timestamp)>,
    /// This many are sorted and distinct.
    distinct: usize,
}

impl Times {
    pub(crate) fn record(&mut self, path: &Path, time: Timestamp) {
        self.push(path.as_os_str().as_bytes(), time);
        // Duplicates use at most as much memory as the distinct paths, and a little more.
        if self.all.len() > 2 * self.distinct + MOST {
            self.tidy();
        }
    }

    /// Adds other paths.
    pub(crate) fn add(&mut self, other: &Self) {
        (0..other.len()).for_each(|index| {
            let (path, time) = other.get(index);
            self.push(path.as_os_str().as_bytes(), time);
        });
    }

    /// The number of paths, in which a path may occur several times.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The path with this index, and its time. If a path occurs several times, its latest time is
    /// the one to use.
    pub(crate) fn get(&self, index: usize) -> (&Path, Timestamp) {
        let (range, time) = self.all.get(index).cloned().unwrap_or_default();
        (Path::new(OsStr::from_bytes(self.bytes(range))), time)
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.paths.get(range).unwrap_or_default()
    }

    fn push(&mut self, path: &[u8], time: Timestamp) {
        let start = self.paths.len();
        self.paths.extend_from_slice(path);
        self.all.push((start..self.paths.len(), time));
    }

    /// Keeps only the latest time of each path.
    fn tidy(&mut self) {
        let mut all = std::mem::take(&mut self.all);
        all.sort_unstable_by(|one, other| {
            let [a, b] = [one, other].map(|(range, _)| self.bytes(range.clone()));
            a.cmp(b).then(other.1.cmp(&one.1))
        });
        all.dedup_by(|next, kept| self.bytes(next.0.clone()) == self.bytes(kept.0.clone()));
        let mut tidy = Self { distinct: all.len(), ..Self::default() };
        all.into_iter().for_each(|(range, time)| tidy.push(self.bytes(range), time));
        *self = tidy;
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
            assert!(times.len() <= 140 + MOST, "{}", times.len());
            assert!(times.paths.len() <= 3 * times.len(), "{}", times.paths.len());
        }
        let latest = |path: &Path| {
            let all = (0..times.len()).map(|index| times.get(index));
            all.filter(|(other, _)| *other == path).map(|(_, time)| time).max()
        };
        for (path, second) in expected {
            assert_eq!(latest(&path), Some(time(second)), "{path:?}");
        }
    }
}
