//! What lies under an image root, whatever parts of it cannot be read.

use super::finding::{Finding, LINK_LOOP};
use super::patience::Pulse;
use crate::store::STATE;
use sifcache_core::image::State;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// What the runtimes leave in an image that is unpacked into a directory.
const UNPACKED: &str = ".singularity.d";

/// The names under a root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// All that is no directory, in order, relative to the root.
    pub(crate) names: Vec<PathBuf>,
    /// Directories that could not be read, and such.
    pub(crate) findings: Vec<Finding>,
}

/// Walks through `root`. Links to directories are followed, as a look-up does.
pub(crate) fn walk(root: &Path, pulse: &Pulse) -> Tree {
    let mut tree = Tree::default();
    let mut entries = WalkDir::new(root).min_depth(1).follow_links(true).into_iter();
    let mut at = root.to_owned();
    while let Some(entry) = pulse.at(&at, || entries.next()) {
        match entry {
            Ok(entry) if is_ours(&entry) => entries.skip_current_dir(),
            Ok(entry) if entry.file_type().is_dir() => {
                at = entry.path().to_owned();
                if pulse.at(&at, || at.join(UNPACKED).is_dir()) {
                    tree.findings.push(Finding::refused(&at, &State::NotAFile("directory")));
                    entries.skip_current_dir();
                }
            }
            Ok(entry) => {
                let directory = entry.path().parent().unwrap_or(root);
                if directory != at {
                    at = directory.to_owned();
                }
                tree.add(root, entry.path());
            }
            Err(error) => tree.fail(root, error),
        }
    }
    tree.names.sort();
    tree
}

fn is_ours(entry: &DirEntry) -> bool {
    entry.depth() == 1 && entry.file_name() == STATE
}

impl Tree {
    fn add(&mut self, root: &Path, path: &Path) {
        self.names.extend(path.strip_prefix(root).map(Path::to_owned));
    }

    fn fail(&mut self, root: &Path, error: walkdir::Error) {
        let path = error.path().unwrap_or(root).to_owned();
        if error.loop_ancestor().is_some() {
            let what = "a link to a directory above it, which is not looked into";
            self.findings.push(Finding::note(LINK_LOOP, &path, what, ""));
            return;
        }
        // A link that leads nowhere is a name like others.
        if path.is_symlink() {
            return self.add(root, &path);
        }
        let state = error.into_io_error().map_or(State::Absent, State::from);
        // What has gone meanwhile was no trouble; the root itself is spoken of elsewhere.
        if state.is_refusal() && path != root {
            self.findings.push(Finding::refused(&path, &state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pulse, walk};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn every_file_but_ours_and_no_circle() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path(".sifcache/tmp")).unwrap();
        fs::write(path(".sifcache/tmp/x"), "").unwrap();
        fs::create_dir_all(path("o/.sifcache")).unwrap();
        fs::write(path("o/.sifcache/y"), "").unwrap();
        fs::create_dir_all(path("box/.singularity.d")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        symlink(".", path("circle")).unwrap();
        let tree = walk(root.path(), &Pulse::default());
        assert_eq!(tree.names, ["dangling", "o/.sifcache/y"].map(Path::new));
        let mut found: Vec<_> = tree.findings.iter().map(|f| (f.token, f.path.clone())).collect();
        found.sort();
        assert_eq!(found, [("link-loop", path("circle")), ("not-a-file", path("box"))]);
    }
}
