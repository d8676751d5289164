//! When images last served a job: what the logs said, saved beside the images.

use crate::logs::Span;
use crate::store::{STATE, Store, known};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file, below the hidden directory.
const FILE: &str = "served.json";
/// A log in which nobody wrote anything for this long is taken to have no hole there.
const QUIET: SignedDuration = SignedDuration::from_hours(24);

/// What is known of an image root's service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// From when on nothing is missing.
    from: Option<Timestamp>,
    /// Until when.
    to: Option<Timestamp>,
    /// By the name under the root.
    last: BTreeMap<String, Timestamp>,
}

impl Served {
    /// What is saved; nothing where nothing is, or something else.
    pub(crate) fn load(root: &Path) -> Self {
        let text = fs::read(root.join(STATE).join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// What logs say of the images under `root`.
    pub(crate) fn of(root: &Path, hits: &[(PathBuf, Timestamp)], spans: &[Span]) -> Self {
        let mut served = Self::default();
        for (path, time) in hits {
            if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                served.saw(name, *time);
            }
        }
        // The newest logs, and the older ones that join on.
        let mut spans = spans.to_vec();
        spans.sort_by_key(|span| std::cmp::Reverse(span.to));
        for span in spans {
            let part = Self { from: Some(span.from), to: Some(span.to), ..Self::default() };
            served.learn(part);
        }
        served
    }

    fn saw(&mut self, name: &str, time: Timestamp) {
        let last = self.last.entry(name.to_owned()).or_insert(time);
        *last = time.max(*last);
    }

    /// Adds other knowledge. Two times that do not join leave a hole, and the newer counts.
    pub(crate) fn learn(&mut self, other: Self) {
        for (name, time) in &other.last {
            self.saw(name, *time);
        }
        let (Some(from), Some(to)) = (other.from, other.to) else { return };
        let (Some(our_from), Some(our_to)) = (self.from, self.to) else {
            (self.from, self.to) = (Some(from), Some(to));
            return;
        };
        let joins = |end: Timestamp, start: Timestamp| {
            end.checked_add(QUIET).unwrap_or(Timestamp::MAX) >= start
        };
        if joins(our_to, from) && joins(to, our_from) {
            (self.from, self.to) = (Some(from.min(our_from)), Some(to.max(our_to)));
        } else if to > our_to {
            (self.from, self.to) = (Some(from), Some(to));
        }
    }

    /// When the image of this name last served a job.
    pub(crate) fn last(&self, name: &str) -> Option<Timestamp> {
        self.last.get(name).copied()
    }

    /// From when on nothing is missing, if that lasts until about `now`.
    pub(crate) fn reaches_back_to(&self, now: Timestamp) -> Option<Timestamp> {
        let fresh = self.to?.checked_add(QUIET).unwrap_or(Timestamp::MAX) >= now;
        self.from.filter(|_| fresh)
    }

    /// Saves it for the next time.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save(&self, store: &Store) -> io::Result<()> {
        known::write(store, &store.state().join(FILE), &serde_json::to_vec(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::Served;
    use crate::logs::Span;
    use crate::store::tests::store;
    use jiff::Timestamp;
    use std::path::{Path, PathBuf};

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: day(from), to: day(to) }
    }

    #[test]
    fn the_last_time_counts_and_is_saved() {
        let (_directory, store) = store();
        let hits = [("/s/i:1", 3), ("/s/i:1", 5), ("/s/i:1", 4), ("/other/i:2", 5)];
        let hits = hits.map(|(path, number)| (PathBuf::from(path), day(number)));
        let mut served = Served::of(Path::new("/s"), &hits, &[span(1, 6)]);
        assert_eq!((served.last("i:1"), served.last("i:2")), (Some(day(5)), None));
        served.learn(Served::of(Path::new("/s"), &hits[..1], &[]));
        assert_eq!(served.last("i:1"), Some(day(5)));
        served.save(&store).unwrap();
        assert_eq!(Served::load(store.root()), served);
        std::fs::write(store.state().join("served.json"), "{").unwrap();
        assert_eq!(Served::load(store.root()), Served::default());
    }

    #[test]
    fn how_far_back_without_a_hole() {
        let back = |spans: &[Span]| Served::of(Path::new("/"), &[], spans).reaches_back_to(day(30));
        assert_eq!(back(&[span(20, 30)]), Some(day(20)));
        assert_eq!(back(&[span(20, 30), span(10, 20), span(2, 9)]), Some(day(2)));
        assert_eq!(back(&[span(2, 9), span(20, 30), span(12, 20)]), Some(day(12)));
        assert_eq!(back(&[span(2, 20)]), None);
        assert_eq!(back(&[]), None);
    }
}
