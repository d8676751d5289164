//! When images last served a job. The times are read from logs and saved in the image root.

mod uses;

use crate::cache::store::file::Directory;
use crate::cache::store::{STATE, Store, existence, metadata};
use crate::events::logs::evidence::Evidence;
use crate::events::logs::read::Read;
use crate::events::logs::{Hits, Times};
use jiff::Timestamp;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};
use uses::Uses;

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
    last: Uses,
    /// The time of the last pull that created a link to each image, by the image's name.
    #[serde(default)]
    linked: Uses,
}

impl UsageIndex {
    /// Loads the saved times. The result is empty if there is no file or it is invalid.
    pub(crate) fn load(root: &Path) -> Self {
        let text = metadata::read(&root.join(STATE).join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Adds the times for the images under `root` from logs. The periods in which lines could not
    /// be read do not count as covered.
    pub(crate) fn learn(&mut self, root: &Path, hits: &Hits, read: &Read) {
        for hits in [hits, &read.future.hits] {
            for (times, paths) in [(&mut self.last, &hits.used), (&mut self.linked, &hits.linked)] {
                times.add(names(root, paths));
            }
        }
        self.learn_periods(read);
    }

    /// Adds only the periods that logs cover.
    pub(crate) fn learn_periods(&mut self, read: &Read) {
        self.nodes.learn(&read.evidence, &read.unread.times);
    }

    /// Like [`Self::learn`], but keeps only names of existing files. Returns whether there is
    /// anything new to save.
    pub(crate) fn update(&mut self, root: &Path, hits: &Hits, read: &Read) -> bool {
        let nodes = self.nodes.clone();
        let mut is_new = tidy(&mut self.last, root) | tidy(&mut self.linked, root);
        for hits in [hits, &read.future.hits] {
            is_new |= update(&mut self.last, root, &hits.used);
            is_new |= update(&mut self.linked, root, &hits.linked);
        }
        self.nodes.learn(&read.evidence, &read.unread.times);
        is_new || self.nodes != nodes
    }

    /// The periods that the logs cover, for each node.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.nodes
    }

    /// When the image of this name last served a job, if that is known.
    pub(crate) fn last(&self, name: &str) -> Option<Timestamp> {
        self.last.get(name)
    }

    /// When a pull last created a link to the image of this name, if that is known.
    pub(crate) fn last_link(&self, name: &str) -> Option<Timestamp> {
        self.linked.get(name)
    }

    /// Saves the times under the image root.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, store: &Store) -> io::Result<()> {
        metadata::write(store, &store.state().join(FILE), &serde_json::to_vec(self)?)
    }
}

/// Removes the entries of names that no longer exist. Returns whether there are any.
fn tidy(times: &mut Uses, root: &Path) -> bool {
    let name = |index| times.at(index).map_or("", |(name, _)| name);
    let exist = existence::exist(root, times.len(), &name);
    let is_any_gone = exist.contains(&false);
    if is_any_gone {
        times.retain(|index| exist.get(index) == Some(&true));
    }
    is_any_gone
}

/// Records times that are later than the recorded ones, except for names that do not exist. Returns
/// whether there are any.
fn update(times: &mut Uses, root: &Path, paths: &Times) -> bool {
    // If a log is read again, almost all times are known.
    let later = later(times, names(root, paths));
    let mut is_new = false;
    let mut unknown = Vec::new();
    for (name, time) in later {
        match times.get(name) {
            Some(last) => is_new |= times.set(name, time.max(last)),
            None => unknown.push((name, time)),
        }
    }
    // Names of one directory are next to each other.
    unknown.par_sort_unstable();
    let existing =
        unknown.into_par_iter().map_init(|| Directory::below(root.to_owned()), if_exists);
    let existing: Vec<(&str, Timestamp)> = existing.flatten_iter().collect();
    is_new |= !existing.is_empty();
    times.add(existing);
    is_new
}

/// Those of the names that are unknown, or whose times are later than the recorded ones.
fn later<'a>(times: &Uses, names: Vec<(&'a str, Timestamp)>) -> Vec<(&'a str, Timestamp)> {
    // For many names, a hash table is faster, even if it must be built first.
    let index: Option<HashMap<&str, Timestamp>> =
        (names.len() > times.len() / 8).then(|| times.iter().collect());
    let last = |name: &str| match &index {
        Some(index) => index.get(name).copied(),
        None => times.get(name),
    };
    let is_later = |(name, time): &(&str, Timestamp)| last(name).is_none_or(|last| last < *time);
    names.into_par_iter().filter(is_later).collect()
}

/// A name and its time, if the name exists.
fn if_exists<'a>(
    directory: &mut Directory,
    one: (&'a str, Timestamp),
) -> Option<(&'a str, Timestamp)> {
    directory.has(one.0).then_some(one)
}

/// The names of the paths below a root, with their times.
pub(crate) fn names<'a>(root: &Path, paths: &'a Times) -> Vec<(&'a str, Timestamp)> {
    let name = |index: usize| {
        let (path, time) = paths.get(index);
        Some((name_below(root, path)?, time))
    };
    (0..paths.len()).into_par_iter().filter_map(name).collect()
}

/// The text of a path relative to a root, or `None` if it is not below the root, is not UTF-8 or
/// has a component such as `..`. A log line can contain any path.
pub(crate) fn name_below<'a>(root: &Path, path: &'a Path) -> Option<&'a str> {
    // `Path` would compare all components, which takes far longer.
    let (above, bytes) = (root.as_os_str().as_bytes(), path.as_os_str().as_bytes());
    let rest = bytes.strip_prefix(above).filter(|_| !above.is_empty());
    let rest = rest.and_then(|rest| rest.strip_prefix(b"/"));
    let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    if let Some(rest) = rest.filter(|rest| rest.split(|byte| *byte == b'/').all(is_plain)) {
        return std::str::from_utf8(rest).ok();
    }
    let name = path.strip_prefix(root).ok()?;
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    name.to_str().filter(|_| inside)
}

#[cfg(test)]
mod tests {
    use super::{UsageIndex, name_below};
    use crate::cache::store::tests::store;
    use crate::events::logs::read::Read;
    use crate::events::logs::{Hits, Times};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    fn times(all: &[(&Path, i64)]) -> Times {
        let mut times = Times::default();
        all.iter().for_each(|(path, number)| times.record(path, day(*number)));
        times
    }

    fn hits(all: &[(&str, i64)]) -> Hits {
        let all: Vec<(&Path, i64)> =
            all.iter().map(|(path, day)| (Path::new(path), *day)).collect();
        Hits { used: times(&all), ..Hits::default() }
    }

    #[test]
    fn the_latest_time_is_kept_and_saved() {
        let (_directory, store) = store();
        let root = Path::new("/s");
        let (mut usage, read) = (UsageIndex::default(), Read::default());
        let first = [("/s/i:1", 4), ("/s/i:1", 5), ("/s/i:1", 2), ("/other/i:2", 5)];
        usage.learn(root, &hits(&first), &read);
        assert_eq!((usage.last("i:1"), usage.last("i:2")), (Some(day(5)), None));
        usage.learn(root, &hits(&[("/s/i:1", 3), ("/s/j:1", 2)]), &read);
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
        let [here, gone] = ["i@sha256:0f", "gone"].map(|name| store.path(name));
        std::fs::write(&here, "").unwrap();
        std::fs::write(&gone, "").unwrap();
        let linked = times(&[(&here, 3), (&gone, 3)]);
        let (mut usage, hits) = (UsageIndex::default(), Hits { linked, ..Hits::default() });
        assert!(usage.update(store.root(), &hits, &Read::default()));
        usage.save(&store).unwrap();
        std::fs::remove_file(gone).unwrap();
        let mut usage = UsageIndex::load(store.root());
        assert!(usage.update(store.root(), &hits, &Read::default()));
        let last = ["i@sha256:0f", "gone"].map(|name| usage.last_link(name));
        assert_eq!(last, [Some(day(3)), None]);
        assert!(!usage.update(store.root(), &hits, &Read::default()));
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
        let (here, gone) = (store.path("i:1"), store.path("gone:1"));
        std::fs::write(&here, "").unwrap();
        let mut usage = UsageIndex::default();
        let used = times(&[(&here, 1), (&gone, 1), (&outside, 1)]);
        let hits = Hits { used, ..Hits::default() };
        usage.learn(store.root(), &hits, &Read::default());
        assert_eq!(usage.last.len(), 2);
        assert!(usage.update(store.root(), &hits, &Read::default()));
        assert_eq!(usage.last.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["i:1"]);
        assert!(!usage.update(store.root(), &hits, &Read::default()));
        // The times of a path are in no particular order.
        let used = times(&[(&here, 3), (&here, 2), (&gone, 2)]);
        let hits = Hits { used, ..Hits::default() };
        assert!(usage.update(store.root(), &hits, &Read::default()));
        assert_eq!(usage.last("i:1"), Some(day(3)));
    }

    proptest! {
        /// Names are those of `Path`.
        #[test]
        fn a_name_is_below_its_root(
            root in "(/{0,2}[ab.]{1,2}){0,2}/?",
            path in "(/{0,2}[ab.ü]{1,2}){0,4}/?",
        ) {
            let (root, path) = (Path::new(&root), Path::new(&path));
            let inside = |name: &&Path| {
                name.components().all(|part| matches!(part, Component::Normal(_)))
            };
            let expected = path.strip_prefix(root).ok().filter(inside).and_then(Path::to_str);
            prop_assert_eq!(name_below(root, path), expected);
        }
    }

    /// Times of nodes are saved even if no image was used.
    #[test]
    fn a_new_node_has_to_be_saved() {
        let (_directory, store) = store();
        let mut read = Read::default();
        let mut usage = UsageIndex::default();
        assert!(!usage.update(store.root(), &Hits::default(), &read));
        read.evidence = serde_json::from_str(
            r#"{"n1":{"spans":[{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"}]}}"#,
        )
        .unwrap();
        assert!(usage.update(store.root(), &Hits::default(), &read));
        assert!(!usage.update(store.root(), &Hits::default(), &read));
    }
}
