//! The names of everything under an image root, in one piece of text.
//!
//! A cache can contain hundreds of thousands of names, so they do not get a string each.

use super::STATE;
use super::other_roots::OtherRoots;
use rayon::prelude::*;
use std::io;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Sorted names relative to an image root.
#[derive(Debug, Default)]
pub(crate) struct Names {
    text: String,
    /// Where each name begins in `text`, and its length in bytes.
    places: Vec<(usize, usize)>,
    /// The number of names that are not UTF-8. No reference leads to them.
    pub(crate) not_utf8: usize,
}

impl Names {
    /// The number of names.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The name with this number; empty if there is none.
    pub(crate) fn get(&self, number: usize) -> &str {
        self.places.get(number).map_or("", |place| part(&self.text, *place))
    }

    /// These names.
    pub(crate) fn of(all: &[String]) -> Self {
        let mut names = Self::default();
        all.iter().for_each(|name| names.add(Path::new(name)));
        names.sort();
        names
    }

    /// The number of a name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.places.binary_search_by(|place| part(&self.text, *place).cmp(name)).ok()
    }

    /// Sorts the names as bytes.
    fn sort(&mut self) {
        let text = self.text.as_str();
        self.places.par_sort_unstable_by(|one, other| part(text, *one).cmp(part(text, *other)));
    }

    fn add(&mut self, name: &Path) {
        match name.to_str() {
            Some(name) => self.push(name),
            None => self.not_utf8 += 1,
        }
    }

    /// Adds a name after those that are there.
    pub(super) fn push(&mut self, name: &str) {
        self.places.push((self.text.len(), name.len()));
        self.text.push_str(name);
    }

    /// Frees memory that was reserved for further names.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.places.shrink_to_fit();
    }
}

fn part(text: &str, (start, length): (usize, usize)) -> &str {
    text.get(start..start + length).unwrap_or_default()
}

/// Splits a name into its directory and its last component. `Path` would iterate over the
/// components, which takes longer than the system calls.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

/// The names of everything under `root` that is not a directory, except `.sifcache` and what belongs
/// to one of the other image roots. Symbolic links to directories are followed, as in a lookup.
///
/// # Errors
/// A directory cannot be read: its path and the cause.
pub(crate) fn names(root: &Path, others: &OtherRoots) -> Result<Names, (PathBuf, io::Error)> {
    walk(root, others, &|| (), None)
}

/// Like [`names`], for a caller who may not read every directory: those below `root` that are
/// closed to the caller are added to `closed`. Calls `progress` for each entry.
///
/// # Errors
/// A directory cannot be read for another reason, or `root` itself is closed.
pub(crate) fn accessible_names(
    root: &Path,
    others: &OtherRoots,
    progress: &dyn Fn(),
    closed: &mut Vec<PathBuf>,
) -> Result<Names, (PathBuf, io::Error)> {
    walk(root, others, progress, Some(closed))
}

fn walk(
    root: &Path,
    others: &OtherRoots,
    progress: &dyn Fn(),
    mut closed: Option<&mut Vec<PathBuf>>,
) -> Result<Names, (PathBuf, io::Error)> {
    let walk = WalkDir::new(root).min_depth(1).follow_links(true).into_iter();
    let mut names = Names::default();
    for entry in walk.filter_entry(|entry| is_part(entry, others)) {
        progress();
        let path = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) if has_vanished(&error) => continue,
            Err(error) => match (broken_link(&error), &mut closed) {
                (Some(path), _) => path,
                (None, Some(closed)) if is_closed(&error) => {
                    closed.extend(error.path().map(Path::to_owned));
                    continue;
                }
                (None, _) => return Err(unreadable(root, error)),
            },
        };
        if let Ok(name) = path.strip_prefix(root) {
            names.add(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether an entry is part of the root: neither the hidden directory nor of another root.
fn is_part(entry: &DirEntry, others: &OtherRoots) -> bool {
    if entry.depth() == 1 && entry.file_name() == STATE {
        return false;
    }
    let other = match (entry.file_type().is_dir(), entry.path_is_symlink()) {
        (false, _) => None,
        (true, false) => others.at(entry.path()),
        (true, true) => others.behind(entry.path()),
    };
    other.is_none()
}

/// The path of a symbolic link that is dangling or part of a cycle, or that leads to a place that
/// the caller cannot access.
fn broken_link(error: &walkdir::Error) -> Option<PathBuf> {
    let path = error.path()?;
    (error.loop_ancestor().is_some() || path.is_symlink()).then(|| path.to_owned())
}

/// Whether an entry was removed during the walk. A root that does not exist is an error.
fn has_vanished(error: &walkdir::Error) -> bool {
    let is_gone = || error.io_error().is_some_and(|e| e.kind() == io::ErrorKind::NotFound);
    error.depth() > 0 && is_gone() && error.path().is_none_or(|path| !path.is_symlink())
}

/// Whether the caller may not read a directory below the root.
fn is_closed(error: &walkdir::Error) -> bool {
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    error.depth() > 0 && error.io_error().is_some_and(is_denied)
}

fn unreadable(root: &Path, error: walkdir::Error) -> (PathBuf, io::Error) {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
    (path, source)
}

#[cfg(test)]
mod tests {
    use super::{Names, OtherRoots, names};
    use crate::cache::store::tests::{sif, store};
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    fn all(names: &Names) -> Vec<&str> {
        (0..names.len()).map(|number| names.get(number)).collect()
    }

    #[test]
    fn all_files_except_the_hidden_directory_are_found() {
        let (_directory, store) = store();
        let elsewhere = tempfile::tempdir().unwrap();
        sif(&elsewhere.path().join("i:1"), 1);
        symlink(elsewhere.path(), store.path("linked")).unwrap();
        symlink("nowhere", store.path("dangling")).unwrap();
        symlink(store.root(), store.path("circle")).unwrap();
        sif(&store.path("o/i:1"), 2);
        fs::create_dir(store.path("empty")).unwrap();
        fs::write(store.root().join(OsStr::from_bytes(b"o/\xff")), "").unwrap();
        let found = names(store.root(), &OtherRoots::default()).unwrap();
        assert_eq!(all(&found), ["circle", "dangling", "linked/i:1", "o/i:1"]);
        assert_eq!(found.not_utf8, 1);
        assert_eq!(found.get(4), "");
    }

    /// Another command removes a directory during the walk.
    #[test]
    fn vanished_entries_are_skipped() {
        let (_directory, store) = store();
        let changing = store.path("changing");
        std::thread::scope(|scope| {
            let walk = || names(store.root(), &OtherRoots::default());
            let walks = scope.spawn(move || (0..300).map(|_| walk()).collect::<Vec<_>>());
            while !walks.is_finished() {
                for number in 0..20 {
                    fs::create_dir_all(changing.join(format!("{number}/x/y"))).unwrap();
                }
                fs::remove_dir_all(&changing).unwrap();
            }
            let errors: Vec<_> =
                walks.join().unwrap().into_iter().filter_map(Result::err).collect();
            assert!(errors.is_empty(), "{errors:?}");
        });
        let absent = names(&store.path("absent"), &OtherRoots::default());
        assert!(absent.is_err(), "a root that does not exist");
    }
}
