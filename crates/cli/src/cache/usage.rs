//! When images last served a job. The times are read from logs and saved in the image root.

use crate::cache::store::{STATE, Store, metadata};
use crate::events::logs::Hits;
use crate::events::logs::coverage::Spans;
use crate::events::logs::evidence::Evidence;
use crate::events::logs::read::Read;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

/// The file name in the hidden directory.
const FILE: &str = "last_used.json";

/// When the images of a root last served a job. A file of an older release has no `nodes`. The
/// covered periods in it are ignored, because they did not take unreadable lines into account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsageIndex {
    /// The periods that the logs cover, for each node.
    #[serde(default)]
    nodes: Evidence,
    /// The time of the last use of each image, by its name relative to the root.
    last: BTreeMap<String, Timestamp>,
}

impl UsageIndex {
    /// Loads the saved times. The result is empty if there is no file or it is invalid.
    pub(crate) fn load(root: &Path) -> Self {
        let text = metadata::read(&root.join(STATE).join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Collects the times for the images under `root` from logs.
    pub(crate) fn of(root: &Path, hits: &Hits, read: &Read) -> Self {
        let mut usage = Self { nodes: read.evidence.clone(), last: BTreeMap::new() };
        for (path, time) in hits.iter().chain(&read.future.hits) {
            if let Some(name) = path.strip_prefix(root).ok().and_then(name) {
                usage.record_use(name, *time);
            }
        }
        usage
    }

    fn record_use(&mut self, name: &str, time: Timestamp) {
        let last = self.last.entry(name.to_owned()).or_insert(time);
        *last = time.max(*last);
    }

    /// Merges the times from other logs. The periods in `unread`, in which lines could not be read,
    /// do not count as covered.
    pub(crate) fn learn(&mut self, other: &Self, unread: &Spans) {
        for (name, time) in &other.last {
            self.record_use(name, *time);
        }
        self.nodes.learn(&other.nodes, unread);
    }

    /// The periods that the logs cover, for each node.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.nodes
    }

    /// Removes the entries of names that no longer exist.
    pub(crate) fn tidy(&mut self, root: &Path) {
        self.last.retain(|name, _| root.join(name).symlink_metadata().is_ok());
    }

    /// When the image of this name last served a job, if that is known.
    pub(crate) fn last(&self, name: &str) -> Option<Timestamp> {
        self.last.get(name).copied()
    }

    /// Saves the times under the image root.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, store: &Store) -> io::Result<()> {
        metadata::write(store, &store.state().join(FILE), &serde_json::to_vec(self)?)
    }
}

/// The text of a path relative to a root, or `None` if it is not UTF-8 or has a component such as
/// `..`. A log line can contain any path.
fn name(path: &Path) -> Option<&str> {
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    path.to_str().filter(|_| inside)
}

#[cfg(test)]
mod tests {
    use super::UsageIndex;
    use crate::cache::store::tests::store;
    use crate::events::logs::Hits;
    use crate::events::logs::coverage::Spans;
    use crate::events::logs::read::Read;
    use jiff::Timestamp;
    use std::path::{Path, PathBuf};

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn of(root: &Path, all: &[(&str, i64)]) -> UsageIndex {
        let hits: Hits =
            all.iter().map(|(path, number)| (PathBuf::from(path), day(*number))).collect();
        UsageIndex::of(root, &hits, &Read::default())
    }

    #[test]
    fn the_latest_time_is_kept_and_saved() {
        let (_directory, store) = store();
        let root = Path::new("/s");
        let mut usage = of(root, &[("/s/i:1", 5), ("/other/i:2", 5)]);
        assert_eq!((usage.last("i:1"), usage.last("i:2")), (Some(day(5)), None));
        usage.learn(&of(root, &[("/s/i:1", 3), ("/s/j:1", 2)]), &Spans::default());
        assert_eq!((usage.last("i:1"), usage.last("j:1")), (Some(day(5)), Some(day(2))));
        usage.save(&store).unwrap();
        assert_eq!(UsageIndex::load(store.root()), usage);
        for wrong in ["{", "[1]", "{\"last\":{\"i:1\":\"x\"}}"] {
            std::fs::write(store.state().join("last_used.json"), wrong).unwrap();
            assert_eq!(UsageIndex::load(store.root()), UsageIndex::default(), "{wrong}");
        }
    }

    /// The covered periods in the file of an older release do not count.
    #[test]
    fn a_file_of_an_older_release_contributes_only_hits() {
        let (_directory, store) = store();
        let old = r#"{"from":"2026-01-01T00:00:00Z","to":"2026-11-24T00:00:00Z",
            "last":{"i:1":"2026-11-20T00:00:00Z"}}"#;
        std::fs::write(store.state().join("last_used.json"), old).unwrap();
        let usage = UsageIndex::load(store.root());
        assert!(usage.last("i:1").is_some() && usage.evidence().is_empty(), "{usage:?}");
    }

    /// A log line can contain any path, and entries of names that no longer exist would
    /// accumulate.
    #[test]
    fn only_names_of_existing_files_are_kept() {
        let (_directory, store) = store();
        let outside = store.root().join("../../etc/passwd");
        let here = store.path("i:1");
        std::fs::write(&here, "").unwrap();
        let all = [(here, day(1)), (store.path("gone:1"), day(1)), (outside, day(1))];
        let mut usage = UsageIndex::of(store.root(), &all.into_iter().collect(), &Read::default());
        assert_eq!(usage.last.len(), 2);
        usage.tidy(store.root());
        assert_eq!(usage.last.into_keys().collect::<Vec<_>>(), ["i:1"]);
    }
}
