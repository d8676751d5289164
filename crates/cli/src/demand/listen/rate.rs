//! Limits how often each user and each host may ask: a number of requests in each window of a
//! minute.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::{Duration, Instant};

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// The maximum number of keys that are counted in one window. It bounds the memory.
const MAX_KEYS: usize = 4096;
/// The maximum number of items that are remembered in one window. Further items count each time.
const MAX_ITEMS: usize = 65_536;

/// Counts per key in the current window.
#[derive(Debug)]
pub(crate) struct Rate<K> {
    most: u32,
    start: Instant,
    counts: HashMap<K, u32>,
    /// Hashes of the keys and items that were counted.
    items: HashSet<u64>,
    hasher: RandomState,
}

impl<K: Eq + Hash> Rate<K> {
    /// Allows `most` requests of each key in a window. The first window starts now.
    pub(crate) fn new(most: u32, now: Instant) -> Self {
        let (counts, items) = (HashMap::new(), HashSet::new());
        Self { most, start: now, counts, items, hasher: RandomState::new() }
    }

    /// Counts a request of `key`.
    ///
    /// # Errors
    /// The seconds until the next window, if the key has used up its number, or too many keys are
    /// counted already.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> Result<(), u32> {
        self.start_window(now);
        let is_full = self.counts.len() >= MAX_KEYS && !self.counts.contains_key(&key);
        if !is_full {
            let count = self.counts.entry(key).or_default();
            *count = count.saturating_add(1);
            if *count <= self.most {
                return Ok(());
            }
        }
        let left = WINDOW.saturating_sub(now.duration_since(self.start));
        Err(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1))
    }

    /// Counts a request of `key` for an item, unless it was counted in this window before.
    ///
    /// # Errors
    /// See [`Self::take`].
    pub(crate) fn take_once(&mut self, key: K, item: &str, now: Instant) -> Result<(), u32> {
        self.start_window(now);
        let hash = self.hasher.hash_one((&key, item));
        if self.items.contains(&hash) {
            return Ok(());
        }
        self.take(key, now)?;
        if self.items.len() < MAX_ITEMS {
            self.items.insert(hash);
        }
        Ok(())
    }

    fn start_window(&mut self, now: Instant) {
        if now.duration_since(self.start) >= WINDOW {
            self.counts.clear();
            self.items.clear();
            self.start = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_KEYS, Rate};
    use std::time::{Duration, Instant};

    #[test]
    fn each_key_has_its_own_number_in_each_window() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut rate = Rate::new(2, start);
        assert_eq!(rate.take("a", start), Ok(()));
        assert_eq!(rate.take("a", after(10)), Ok(()));
        assert_eq!(rate.take("a", after(20)), Err(40));
        assert_eq!(rate.take("b", after(20)), Ok(()));
        assert_eq!(rate.take("a", after(59)), Err(1));
        assert_eq!(rate.take("a", after(60)), Ok(()));
        assert_eq!(rate.take("a", after(61)), Ok(()));
        assert_eq!(rate.take("a", after(62)), Err(58));
    }

    #[test]
    fn an_item_counts_once_in_each_window() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut rate = Rate::new(2, start);
        for _ in 0..3 {
            assert_eq!(rate.take_once(1, "x", start), Ok(()));
            assert_eq!(rate.take_once(1, "y", start), Ok(()));
            assert_eq!(rate.take_once(1, "z", start), Err(60));
            assert_eq!(rate.take_once(2, "z", start), Ok(()));
        }
        assert_eq!(rate.take_once(1, "z", later), Ok(()));
        assert_eq!(rate.take_once(1, "x", later), Ok(()));
        assert_eq!(rate.take_once(1, "y", later), Err(60));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let start = Instant::now();
        let mut rate = Rate::new(2, start);
        let taken = (0..MAX_KEYS + 9).filter(|key| rate.take(*key, start).is_ok());
        assert_eq!(taken.count(), MAX_KEYS);
        assert_eq!(rate.take(0, start), Ok(()));
    }
}
