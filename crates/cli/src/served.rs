//! When images last served a job: what the logs said, saved beside the images.

use crate::logs::Hits;
use crate::logs::coverage::{self, Span};
use crate::store::{STATE, Store, known};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

/// The file, below the hidden directory.
const FILE: &str = "served.json";

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
        let text = known::read(&root.join(STATE).join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// What logs say of the images under `root`.
    pub(crate) fn of(root: &Path, hits: &Hits, spans: &[Span]) -> Self {
        let common = coverage::common(spans);
        let (from, to) = (common.map(|span| span.from), common.map(|span| span.to));
        let mut served = Self { from, to, last: BTreeMap::new() };
        for (path, time) in hits {
            if let Some(name) = path.strip_prefix(root).ok().and_then(name) {
                served.saw(name, *time);
            }
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
        let Some(theirs) = other.span() else { return };
        let span = match self.span() {
            None => theirs,
            Some(ours) => {
                ours.join(theirs).unwrap_or(if theirs.to > ours.to { theirs } else { ours })
            }
        };
        (self.from, self.to) = (Some(span.from), Some(span.to));
    }

    fn span(&self) -> Option<Span> {
        Some(Span { from: self.from?, to: self.to? })
    }

    /// Forgets what is gone.
    pub(crate) fn tidy(&mut self, root: &Path) {
        self.last.retain(|name, _| root.join(name).symlink_metadata().is_ok());
    }

    /// When the image of this name last served a job.
    pub(crate) fn last(&self, name: &str) -> Option<Timestamp> {
        self.last.get(name).copied()
    }

    /// From when on nothing is missing, if that lasts until about `now`.
    pub(crate) fn reaches_back_to(&self, now: Timestamp) -> Option<Timestamp> {
        let span = self.span()?;
        span.leads_to(Span { from: now, to: now }).then_some(span.from)
    }

    /// Saves it for the next time.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save(&self, store: &Store) -> io::Result<()> {
        known::write(store, &store.state().join(FILE), &serde_json::to_vec(self)?)
    }
}

/// The name of a file under a root: a line can say anything, and `..` too.
fn name(path: &Path) -> Option<&str> {
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    path.to_str().filter(|_| inside)
}

#[cfg(test)]
mod tests {
    use super::Served;
    use crate::logs::Hits;
    use crate::logs::coverage::Span;
    use crate::store::tests::store;
    use jiff::Timestamp;
    use std::path::{Path, PathBuf};

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn hits(all: &[(&str, i64)]) -> Hits {
        all.iter().map(|(path, number)| (PathBuf::from(path), day(*number))).collect()
    }

    fn covering(from: i64, to: i64) -> Served {
        Served::of(Path::new("/"), &hits(&[]), &[Span { from: day(from), to: day(to) }])
    }

    #[test]
    fn the_last_time_counts_and_is_saved() {
        let (_directory, store) = store();
        let root = Path::new("/s");
        let mut served = Served::of(root, &hits(&[("/s/i:1", 5), ("/other/i:2", 5)]), &[]);
        assert_eq!((served.last("i:1"), served.last("i:2")), (Some(day(5)), None));
        served.learn(Served::of(root, &hits(&[("/s/i:1", 3), ("/s/j:1", 2)]), &[]));
        assert_eq!((served.last("i:1"), served.last("j:1")), (Some(day(5)), Some(day(2))));
        served.save(&store).unwrap();
        assert_eq!(Served::load(store.root()), served);
        for wrong in ["{", "[1]", "{\"last\":{\"i:1\":\"x\"}}"] {
            std::fs::write(store.state().join("served.json"), wrong).unwrap();
            assert_eq!(Served::load(store.root()), Served::default(), "{wrong}");
        }
    }

    #[test]
    fn a_hole_in_what_is_known() {
        for (saved, new, expected) in [
            (covering(10, 20), covering(15, 30), Some(day(10))),
            (covering(10, 20), covering(20, 30), Some(day(10))),
            (covering(10, 20), covering(25, 30), Some(day(25))),
            (covering(20, 30), covering(2, 10), Some(day(20))),
            (covering(20, 30), covering(2, 25), Some(day(2))),
            (Served::default(), covering(20, 30), Some(day(20))),
            (covering(20, 30), Served::default(), Some(day(20))),
            (covering(2, 20), Served::default(), None),
            (Served::default(), Served::default(), None),
        ] {
            let mut served = saved.clone();
            served.learn(new.clone());
            assert_eq!(served.reaches_back_to(day(30)), expected, "{saved:?} {new:?}");
        }
    }

    /// A line names any path, and names that are gone would be kept for ever.
    #[test]
    fn names_of_files_that_are_there() {
        let (_directory, store) = store();
        let outside = store.root().join("../../etc/passwd");
        let here = store.path("i:1");
        std::fs::write(&here, "").unwrap();
        let all = [(here, day(1)), (store.path("gone:1"), day(1)), (outside, day(1))];
        let mut served = Served::of(store.root(), &all.into_iter().collect(), &[]);
        assert_eq!(served.last.len(), 2);
        served.tidy(store.root());
        assert_eq!(served.last.into_keys().collect::<Vec<_>>(), ["i:1"]);
    }
}
