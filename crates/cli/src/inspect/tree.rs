//! Lists the files under an image root, even if parts of it cannot be read. Several threads list
//! directories at the same time.

use super::finding::{Finding, LINK_LOOP, OTHER_ROOT};
use super::paths::Paths;
use crate::cache::store::STATE;
use crate::cache::store::other_roots::OtherRoots;
use crate::system::timeout::Watchdog;
use crate::ui::escape::escape_for_terminal;
use rayon::Scope;
use sifcache_core::image::State;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The runtimes create this directory inside an image that is unpacked into a directory.
const UNPACKED: &str = ".singularity.d";

/// The files under a root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Everything except directories, sorted.
    pub(crate) paths: Paths,
    /// Findings such as unreadable directories, sorted by path.
    pub(crate) findings: Vec<Finding>,
    /// Whether a part of the tree was not searched.
    pub(crate) is_partial: bool,
}

/// Walks through `root`, but not through what belongs to the other roots. Symbolic links to
/// directories are followed, as in a lookup.
pub(crate) fn walk(root: &Path, others: &OtherRoots, watchdog: &Watchdog) -> Tree {
    let tree = Tree { paths: Paths::below(root), ..Tree::default() };
    let walk = Walk { root, others, watchdog, tree: Mutex::new(tree) };
    rayon::scope(|scope| walk.list(scope, root.to_owned(), Jumps::default()));
    let mut tree = walk.tree.into_inner().unwrap_or_else(PoisonError::into_inner);
    tree.paths.sort();
    tree.findings.sort_by(|one, other| one.path.cmp(&other.path));
    tree
}

/// The canonical parent directories of the links that were followed to get to a directory.
type Jumps = Arc<Vec<PathBuf>>;

struct Walk<'a> {
    root: &'a Path,
    others: &'a OtherRoots,
    watchdog: &'a Watchdog,
    tree: Mutex<Tree>,
}

/// The entries of a directory.
#[derive(Default)]
struct Listed {
    others: Paths,
    directories: Vec<PathBuf>,
    links: Vec<PathBuf>,
    errors: Vec<io::Error>,
}

impl<'a> Walk<'a> {
    /// Lists a directory and, in other tasks, those below it.
    fn list<'s>(&'s self, scope: &Scope<'s>, directory: PathBuf, jumps: Jumps)
    where
        'a: 's,
    {
        if let Some(other) = self.watchdog.at(&directory, || self.others.at(&directory)) {
            return self.leave(&directory, other);
        }
        let listed = self.watchdog.at(&directory, || self.read(&directory));
        let Some(mut listed) = listed else {
            return self.skip(Finding::refused(&directory, &State::NotAFile("directory")));
        };
        for link in std::mem::take(&mut listed.links) {
            if let Some(jumps) = self.link(&link, &jumps, &mut listed) {
                scope.spawn(move |scope| self.list(scope, link, jumps));
            }
        }
        for below in listed.directories {
            let jumps = Arc::clone(&jumps);
            scope.spawn(move |scope| self.list(scope, below, jumps));
        }
        let mut tree = self.tree();
        tree.paths.append(&listed.others);
        tree.is_partial |= !listed.errors.is_empty();
        let errors = listed.errors.into_iter();
        tree.findings.extend(errors.filter_map(|error| self.fail(&directory, error)));
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries of a directory; `None` if it is an unpacked image. Neither the directory nor its
    /// files are candidates then.
    fn read(&self, directory: &Path) -> Option<Listed> {
        let is_root = directory == self.root;
        let is_unpacked = || !is_root && directory.join(UNPACKED).is_dir();
        let mut listed = Listed::default();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(_) if is_unpacked() => return None,
            Err(error) => {
                listed.errors.push(error);
                return Some(listed);
            }
        };
        for entry in entries {
            self.watchdog.progress();
            match entry {
                Ok(entry) if is_root && entry.file_name() == STATE => {}
                Ok(entry) if entry.file_name() == UNPACKED && is_unpacked() => return None,
                Ok(entry) => listed.add(&entry),
                Err(error) => listed.errors.push(error),
            }
        }
        Some(listed)
    }

    /// Adds a link that does not lead to a directory to `listed`. For a link to a directory that is
    /// to be listed, returns the links that lead there.
    fn link(&self, path: &Path, jumps: &Jumps, listed: &mut Listed) -> Option<Jumps> {
        let target = self.watchdog.at(path, || path.is_dir().then(|| fs::canonicalize(path)));
        let parent = path.parent().unwrap_or(self.root);
        let parent = self.watchdog.at(parent, || fs::canonicalize(parent));
        // Not a link to a directory: a link to a file, or a dangling link.
        let (Some(Ok(target)), Ok(parent)) = (target, parent) else {
            listed.others.add(path, true);
            return None;
        };
        if let Some(other) = self.watchdog.at(path, || self.others.behind(path)) {
            self.leave(path, other);
            return None;
        }
        let mut jumps = jumps.to_vec();
        jumps.push(parent);
        if jumps.iter().any(|jump| jump.starts_with(&target)) {
            let what = "a link to a directory above it, which is not searched";
            self.skip(Finding::note(LINK_LOOP, path, what, ""));
            return None;
        }
        Some(Arc::new(jumps))
    }

    /// Notes a directory that belongs to another root, where its files are checked.
    fn leave(&self, directory: &Path, other: &Path) {
        let other = escape_for_terminal(other);
        let what = format!("its files belong to the image root {other}, not to this one");
        self.tree().findings.push(Finding::note(OTHER_ROOT, directory, what, ""));
    }

    /// Adds the finding about a directory that is not searched.
    fn skip(&self, finding: Finding) {
        let mut tree = self.tree();
        tree.is_partial = true;
        tree.findings.push(finding);
    }

    fn fail(&self, directory: &Path, error: io::Error) -> Option<Finding> {
        let state = State::from(error);
        // A path that was deleted in the meantime is not a problem. The root itself is reported
        // elsewhere.
        let is_wrong = state.is_refusal() && directory != self.root;
        is_wrong.then(|| Finding::refused(directory, &state))
    }
}

impl Listed {
    fn add(&mut self, entry: &DirEntry) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => self.directories.push(entry.path()),
            Ok(kind) if kind.is_symlink() => self.links.push(entry.path()),
            Ok(_) => self.others.add(&entry.path(), false),
            Err(error) => self.errors.push(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OtherRoots, Watchdog, walk};
    use std::fs;
    use std::os::unix::fs::symlink;

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
        let tree = walk(root.path(), &OtherRoots::default(), &Watchdog::default());
        let names = ["a/f", "c/to-a/f", "dangling", "o/.sifcache/y"];
        let numbers = 0..tree.paths.len();
        let paths = numbers.clone().map(|number| tree.paths.get(number).to_path_buf());
        assert!(paths.eq(names.map(path)));
        let is_link: Vec<bool> = numbers.map(|number| tree.paths.is_link(number)).collect();
        assert_eq!(is_link, [false, false, true, false]);
        let mut found: Vec<_> = tree.findings.iter().map(|f| (f.token, f.path.clone())).collect();
        found.sort();
        let link_loops = ["a/b/up", "a/to-c/to-a", "c/to-a/b/up", "c/to-a/to-c", "circle"];
        let mut expected: Vec<_> = link_loops.map(|name| ("link-loop", path(name))).into();
        expected.extend(["box", "boxed"].map(|name| ("not-a-file", path(name))));
        assert_eq!(found, expected);
    }
}
