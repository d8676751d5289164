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
    /// The time of the last pull that created a link to each image, by the image's name.
    #[serde(default)]
    linked: BTreeMap<String, Timestamp>,
}

impl UsageIndex {
    /// Loads the saved times. The result is empty if there is no file or it is invalid.
    pub(crate) fn load(root: &Path) -> Self {
        let text = metadata::read(&root.join(STATE).join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Collects the times for the images under `root` from logs.
    pub(crate) fn of(root: &Path, hits: &Hits, read: &Read) -> Self {
        let mut usage = Self { nodes: read.evidence.clone(), ..Self::default() };
        for hits in [hits, &read.future.hits] {
            for (times, paths) in [(&mut usage.last, &hits.used), (&mut usage.linked, &hits.linked)]
            {
                for (path, time) in paths {
                    if let Some(name) = path.strip_prefix(root).ok().and_then(name) {
                        record(times, name, *time);
                    }
                }
            }
        }
        usage
    }

    /// Merges the times from other logs. The periods in `unread`, in which lines could not be read,
    /// do not count as covered.
    pub(crate) fn learn(&mut self, other: &Self, unread: &Spans) {
        other.last.iter().for_each(|(name, time)| record(&mut self.last, name, *time));
        other.linked.iter().for_each(|(name, time)| record(&mut self.linked, name, *time));
        self.nodes.learn(&other.nodes, unread);
    }

    /// The periods that the logs cover, for each node.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.nodes
    }

    /// Removes the entries of names that no longer exist.
    pub(crate) fn tidy(&mut self, root: &Path) {
        for times in [&mut self.last, &mut self.linked] {
            times.retain(|name, _| root.join(name).symlink_metadata().is_ok());
        }
    }

    /// When the image of this name last served a job, if that is known.
    pub(crate) fn last(&self, name: &str) -> Option<Timestamp> {
        self.last.get(name).copied()
    }

    /// When a pull last created a link to the image of this name, if that is known.
    pub(crate) fn last_link(&self, name: &str) -> Option<Timestamp> {
        self.linked.get(name).copied()
    }

    /// Saves the times under the image root.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, store: &Store) -> io::Result<()> {
        metadata::write(store, &store.state().join(FILE), &serde_json::to_vec(self)?)
    }
}

/// Records the time if it is later than the recorded one.
fn record(times: &mut BTreeMap<String, Timestamp>, name: &str, time: Timestamp) {
    let last = times.entry(name.to_owned()).or_insert(time);
    *last = time.max(*last);
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

    fn hits(all: impl Iterator<Item = (PathBuf, i64)>) -> Hits {
        Hits { used: all.map(|(path, number)| (path, day(number))).collect(), ..Hits::default() }
    }

    fn of(root: &Path, all: &[(&str, i64)]) -> UsageIndex {
        UsageIndex::of(root, &hits(all.iter().map(|(path, n)| (path.into(), *n))), &Read::default())
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

    #[test]
    fn links_are_saved_until_the_image_is_gone() {
        let (_directory, store) = store();
        std::fs::write(store.path("i@sha256:0f"), "").unwrap();
        let path = |name: &str| (store.path(name), day(3));
        let linked = [path("i@sha256:0f"), path("gone")].into_iter().collect();
        let hits = Hits { linked, ..Hits::default() };
        let mut usage = UsageIndex::default();
        usage.learn(&UsageIndex::of(store.root(), &hits, &Read::default()), &Spans::default());
        usage.save(&store).unwrap();
        let mut usage = UsageIndex::load(store.root());
        usage.tidy(store.root());
        let last = ["i@sha256:0f", "gone"].map(|name| usage.last_link(name));
        assert_eq!(last, [Some(day(3)), None]);
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
        let all = [(here, 1), (store.path("gone:1"), 1), (outside, 1)];
        let mut usage = UsageIndex::of(store.root(), &hits(all.into_iter()), &Read::default());
        assert_eq!(usage.last.len(), 2);
        usage.tidy(store.root());
        assert_eq!(usage.last.into_keys().collect::<Vec<_>>(), ["i:1"]);
    }
}
