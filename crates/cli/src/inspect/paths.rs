//! The paths of everything under an image root, in one piece of memory.
//!
//! A cache can contain hundreds of thousands of names, so they do not get an allocation each.

use rayon::prelude::*;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Full paths below one directory.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The length of the path of that directory with its separator.
    top: usize,
    bytes: Vec<u8>,
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where the path begins in `bytes`.
    start: usize,
    length: u32,
    is_link: bool,
}

impl Paths {
    /// No paths yet; those that will be added are below `top`.
    pub(super) fn below(top: &Path) -> Self {
        let length = top.as_os_str().len();
        let has_separator = top.as_os_str().as_bytes().ends_with(b"/");
        Self { top: length + usize::from(!has_separator), ..Self::default() }
    }

    /// Adds a path. `is_link` says whether its last component is a symbolic link.
    pub(super) fn add(&mut self, path: &Path, is_link: bool) {
        let bytes = path.as_os_str().as_bytes();
        // Longer paths than this cannot be opened.
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        self.places.push(Place { start: self.bytes.len(), length, is_link });
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds all paths of another collection.
    pub(super) fn append(&mut self, other: &Self) {
        let offset = self.bytes.len();
        let moved = |place: &Place| Place { start: place.start + offset, ..*place };
        self.places.extend(other.places.iter().map(moved));
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Sorts the paths by their components.
    pub(super) fn sort(&mut self) {
        let bytes = self.bytes.as_slice();
        self.places.par_sort_unstable_by(|one, other| compare(of(bytes, *one), of(bytes, *other)));
        self.bytes.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    /// The number of paths.
    pub(super) fn len(&self) -> u32 {
        // With more paths than this, the memory would long be exhausted.
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// The path with this number; empty if there is none.
    pub(crate) fn get(&self, number: u32) -> &Path {
        self.place(number).map_or(Path::new(""), |place| of(&self.bytes, place))
    }

    /// The same path relative to the directory of all paths.
    pub(crate) fn name(&self, number: u32) -> &Path {
        let path = self.get(number).as_os_str().as_bytes();
        Path::new(OsStr::from_bytes(path.get(self.top..).unwrap_or_default()))
    }

    /// The directory of all paths.
    pub(crate) fn top(&self, number: u32) -> &Path {
        let path = self.get(number).as_os_str().as_bytes();
        Path::new(OsStr::from_bytes(path.get(..self.top).unwrap_or_default()))
    }

    /// Whether the last component of the path is a symbolic link. Links in its parent directories
    /// are checked together with these directories.
    pub(super) fn is_link(&self, number: u32) -> bool {
        self.place(number).is_some_and(|place| place.is_link)
    }

    fn place(&self, number: u32) -> Option<Place> {
        self.places.get(usize::try_from(number).ok()?).copied()
    }
}

fn of(bytes: &[u8], place: Place) -> &Path {
    let length = usize::try_from(place.length).unwrap_or_default();
    let path = bytes.get(place.start..place.start + length).unwrap_or_default();
    Path::new(OsStr::from_bytes(path))
}

/// Compares paths below one directory by their components. `Path` does the same, but takes longer
/// than all system calls.
pub(super) fn compare(one: &Path, other: &Path) -> Ordering {
    let (one, other) = (one.as_os_str().as_bytes(), other.as_os_str().as_bytes());
    let differ = |(one, other): &(&u8, &u8)| one != other;
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    match one.iter().zip(other).find(differ) {
        Some((one, other)) => rank(one).cmp(&rank(other)),
        None => one.len().cmp(&other.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Paths, compare};
    use std::path::Path;

    #[test]
    fn paths_are_compared_by_their_components() {
        let paths = ["a", "a/b", "a/b/c", "a/b.c", "a/b0", "a.b", "a.b/c", "a0", "b"];
        for (one, other) in paths.iter().flat_map(|one| paths.map(|other| (*one, other))) {
            let [one, other] = [one, other].map(Path::new);
            assert_eq!(compare(one, other), one.cmp(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn paths_of_several_directories_are_sorted() {
        for top in ["/s", "/s/"] {
            let mut paths = Paths::below(Path::new(top));
            paths.add(Path::new("/s/b"), true);
            let mut others = Paths::default();
            others.add(Path::new("/s/a/x"), false);
            others.add(Path::new("/s/a"), false);
            paths.append(&others);
            paths.sort();
            let all: Vec<_> = (0..paths.len())
                .map(|number| (paths.get(number), paths.name(number), paths.is_link(number)))
                .collect();
            let expected = [("a", false), ("a/x", false), ("b", true)];
            let expected = expected.map(|(name, is_link)| (name.to_owned(), is_link));
            let found: Vec<_> = all
                .iter()
                .map(|(_, name, is_link)| (name.to_str().unwrap().to_owned(), *is_link))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(all[1].0, Path::new("/s/a/x"));
            assert_eq!(paths.top(1), Path::new("/s"));
            assert_eq!(paths.get(3), Path::new(""));
        }
    }
}
