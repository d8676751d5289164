//! Lists the files under an image root, even if parts of it cannot be read.

use super::finding::{Finding, LINK_LOOP};
use crate::cache::store::STATE;
use crate::system::timeout::Watchdog;
use rayon::prelude::*;
use sifcache_core::image::State;
use std::cmp::Ordering;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The runtimes create this directory inside an image that is unpacked into a directory.
const UNPACKED: &str = ".singularity.d";

/// The files under a root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Everything except directories, sorted by path.
    pub(crate) names: Vec<Name>,
    /// Findings such as unreadable directories.
    pub(crate) findings: Vec<Finding>,
}

/// A name in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Its full path.
    pub(crate) path: Box<Path>,
    /// Whether its last component is a symbolic link. Links in its parent directories are checked
    /// together with these directories.
    pub(crate) is_link: bool,
}

/// Walks through `root`. Symbolic links to directories are followed, as in a lookup. walkdir's own
/// option for this is not used, so that a path that does not respond can be reported.
pub(crate) fn walk(root: &Path, watchdog: &Watchdog) -> Tree {
    let mut walk = Walk { root, watchdog, jumps: Vec::new(), tree: Tree::default() };
    walk.descend(root);
    walk.tree.names.par_sort_unstable_by(|one, other| compare(&one.path, &other.path));
    walk.tree
}

struct Walk<'a> {
    root: &'a Path,
    watchdog: &'a Watchdog,
    /// The canonical parent directories of the links that were followed to get here.
    jumps: Vec<PathBuf>,
    tree: Tree,
}

impl Walk<'_> {
    fn descend(&mut self, top: &Path) {
        let mut entries = WalkDir::new(top).min_depth(1).into_iter();
        let mut at = top.to_owned();
        while let Some(entry) = self.watchdog.at(&at, || entries.next()) {
            match entry {
                Ok(entry) if top == self.root && is_ours(&entry) => entries.skip_current_dir(),
                Ok(entry) if entry.file_type().is_dir() => {
                    at = entry.into_path();
                    if self.is_unpacked(&at) {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) if entry.file_type().is_symlink() => self.link(entry.path()),
                Ok(entry) => self.add(entry.into_path(), false),
                Err(error) => self.fail(&at, error),
            }
        }
    }

    fn add(&mut self, path: PathBuf, is_link: bool) {
        // The path of an entry has space for further components, which a box has not.
        self.tree.names.push(Name { path: path.into(), is_link });
    }

    fn link(&mut self, path: &Path) {
        let target = self.watchdog.at(path, || path.is_dir().then(|| fs::canonicalize(path)));
        let parent = path.parent().unwrap_or(self.root);
        let parent = self.watchdog.at(parent, || fs::canonicalize(parent));
        // Not a link to a directory: a link to a file, or a dangling link.
        let (Some(Ok(target)), Ok(parent)) = (target, parent) else {
            return self.add(path.to_owned(), true);
        };
        self.jumps.push(parent);
        if self.jumps.iter().any(|jump| jump.starts_with(&target)) {
            let what = "a link to a directory above it, which is not searched";
            self.tree.findings.push(Finding::note(LINK_LOOP, path, what, ""));
        } else if !self.is_unpacked(path) {
            self.descend(path);
        }
        self.jumps.pop();
    }

    /// Whether the path is an unpacked image directory. Neither the directory nor its files are
    /// candidates.
    fn is_unpacked(&mut self, path: &Path) -> bool {
        let is_unpacked = self.watchdog.at(path, || path.join(UNPACKED).is_dir());
        let finding = || Finding::refused(path, &State::NotAFile("directory"));
        self.tree.findings.extend(is_unpacked.then(finding));
        is_unpacked
    }

    fn fail(&mut self, at: &Path, error: walkdir::Error) {
        let path = error.path().unwrap_or(at).to_owned();
        let state = error.into_io_error().map_or(State::Absent, State::from);
        // A path that was deleted in the meantime is not a problem. The root itself is reported
        // elsewhere.
        if state.is_refusal() && path != self.root {
            self.tree.findings.push(Finding::refused(&path, &state));
        }
    }
}

/// Compares paths below one directory by their components. `Path` does the same, but takes longer than all
/// system calls.
pub(crate) fn compare(one: &Path, other: &Path) -> Ordering {
    let (one, other) = (one.as_os_str().as_bytes(), other.as_os_str().as_bytes());
    let differ = |(one, other): &(&u8, &u8)| one != other;
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    match one.iter().zip(other).find(differ) {
        Some((one, other)) => rank(one).cmp(&rank(other)),
        None => one.len().cmp(&other.len()),
    }
}

fn is_ours(entry: &DirEntry) -> bool {
    entry.depth() == 1 && entry.file_name() == STATE
}

#[cfg(test)]
mod tests {
    use super::{Watchdog, walk};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn own_files_and_link_loops_are_skipped() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path(".sifcache/tmp")).unwrap();
        fs::write(path(".sifcache/tmp/x"), "").unwrap();
        fs::create_dir_all(path("o/.sifcache")).unwrap();
        fs::write(path("o/.sifcache/y"), "").unwrap();
        fs::create_dir_all(path("box/.singularity.d")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        symlink(".", path("circle")).unwrap();
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir_all(path("c")).unwrap();
        fs::write(path("a/f"), "").unwrap();
        symlink("../../a", path("a/b/up")).unwrap();
        symlink("../a", path("c/to-a")).unwrap();
        symlink("../c", path("a/to-c")).unwrap();
        symlink("box", path("boxed")).unwrap();
        let tree = walk(root.path(), &Watchdog::default());
        let names = ["a/f", "c/to-a/f", "dangling", "o/.sifcache/y"];
        assert!(tree.names.iter().map(|name| name.path.to_path_buf()).eq(names.map(path)));
        let is_link: Vec<bool> = tree.names.iter().map(|name| name.is_link).collect();
        assert_eq!(is_link, [false, false, true, false]);
        let mut found: Vec<_> = tree.findings.iter().map(|f| (f.token, f.path.clone())).collect();
        found.sort();
        let link_loops = ["a/b/up", "a/to-c/to-a", "c/to-a/b/up", "c/to-a/to-c", "circle"];
        let mut expected: Vec<_> = link_loops.map(|name| ("link-loop", path(name))).into();
        expected.extend(["box", "boxed"].map(|name| ("not-a-file", path(name))));
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_are_compared_by_their_components() {
        let paths = ["a", "a/b", "a/b/c", "a/b.c", "a/b0", "a.b", "a.b/c", "a0", "b"];
        for (one, other) in paths.iter().flat_map(|one| paths.map(|other| (*one, other))) {
            let [one, other] = [one, other].map(Path::new);
            assert_eq!(super::compare(one, other), one.cmp(other), "{one:?} {other:?}");
        }
    }
}
