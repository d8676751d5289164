//! Examines the files under an image root, one directory at a time.
//!
//! A cache can contain hundreds of thousands of files, so the number of system calls matters, and
//! so does the length of each path that the kernel has to resolve. A directory is therefore opened
//! once, and many names are looked up relative to it.

use super::names::{Names, split};
use jiff::Timestamp;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, openat, statat};
use sifcache_core::image;
use std::collections::HashMap;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The maximum number of names of one directory that a thread processes at a time.
const BATCH: usize = 64;
/// The number of batches whose results are held at a time.
const BATCHES: usize = 256;

/// A regular file.
#[derive(Debug)]
pub(super) struct File {
    /// The numbers of its first and its last name.
    first: usize,
    last: usize,
    /// Device and inode number.
    place: (u64, u64),
    /// Size in bytes.
    pub(super) size: u64,
    /// The modification time.
    pub(super) modified: Timestamp,
}

/// The metadata of a regular file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Regular {
    /// Device and inode number.
    pub(crate) place: (u64, u64),
    /// Size in bytes.
    pub(crate) size: u64,
    /// The modification time.
    pub(crate) modified: Timestamp,
}

/// The regular files under a root.
#[derive(Debug, Default)]
pub(crate) struct Files {
    names: Names,
    /// Sorted by their first names.
    files: Vec<File>,
    /// For each name, the number of the next name of the same file; 0 if there is none.
    next: Vec<u32>,
    pub(super) others: usize,
}

/// The index of the file of each name; the largest number for a name that is not one of a regular
/// file.
#[derive(Debug, Default)]
pub(crate) struct ByName(Vec<u32>);

impl Files {
    /// The files.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The names of a file, sorted.
    pub(super) fn all_names(&self, file: &File) -> impl Iterator<Item = &str> {
        self.numbers(file).map(|number| self.names.get(number))
    }

    /// The numbers of the names of the file with this index, sorted.
    pub(crate) fn numbers_of(&self, index: usize) -> impl Iterator<Item = usize> {
        self.files.get(index).into_iter().flat_map(|file| self.numbers(file))
    }

    /// The numbers of the names of a file, sorted.
    fn numbers(&self, file: &File) -> impl Iterator<Item = usize> {
        let next = |number: &usize| {
            let next = self.next.get(*number).copied().filter(|next| *next != 0)?;
            usize::try_from(next).ok()
        };
        std::iter::successors(Some(file.first), next)
    }

    /// Finds the files by any of their names.
    pub(crate) fn by_name(&self) -> ByName {
        let mut files = vec![u32::MAX; self.names.len()];
        for (index, file) in (0..u32::MAX).zip(&self.files) {
            for number in self.numbers(file) {
                files.get_mut(number).into_iter().for_each(|of_name| *of_name = index);
            }
        }
        ByName(files)
    }

    /// The index of the file of this name. `by_name` is what [`Self::by_name`] returned.
    pub(crate) fn find(&self, by_name: &ByName, name: &str) -> Option<usize> {
        let index = by_name.0.get(self.names.find(name)?).filter(|index| **index != u32::MAX)?;
        usize::try_from(*index).ok()
    }

    /// The number of names that are not those of a regular file.
    pub(crate) fn others(&self) -> usize {
        self.others
    }

    /// The number of files.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.names.len()).map(|number| self.names.get(number))
    }

    /// The names of the file with this index, sorted.
    pub(crate) fn names_of(&self, index: usize) -> impl Iterator<Item = &str> {
        self.files.get(index).into_iter().flat_map(|file| self.all_names(file))
    }

    /// Merges the names of the same file, if their metadata is known. `all` are all names in the
    /// order of their bytes; the metadata is `None` for a name that is not one of a regular file.
    /// `not_utf8` is the number of names that are not UTF-8.
    pub(crate) fn known<'a>(
        all: impl Iterator<Item = (&'a str, Option<Regular>)>,
        not_utf8: usize,
    ) -> Self {
        let (mut files, mut places) =
            (Self { others: not_utf8, ..Self::default() }, HashMap::new());
        for (number, (name, regular)) in all.enumerate() {
            files.names.push(name);
            files.next.push(0);
            match regular {
                Some(Regular { place, size, modified }) => {
                    let file = File { first: number, last: number, place, size, modified };
                    files.merge(file, &mut places);
                }
                None => files.others += 1,
            }
        }
        files.names.shrink();
        files
    }

    /// Examines each of the names under `root`, and merges the names of the same file. Calls
    /// `progress` for each of them.
    pub(super) fn of(root: &Path, names: Names, progress: &(dyn Fn() + Sync)) -> Self {
        let mut places = HashMap::new();
        let mut all = Self { others: names.not_utf8, names, ..Self::default() };
        all.next.resize(all.names.len(), 0);
        for batches in batches(&all.names).chunks(BATCHES) {
            let looked: Vec<Vec<Option<File>>> =
                batches.par_iter().map(|batch| look(root, &all.names, batch, progress)).collect();
            for file in looked.into_iter().flatten() {
                match file {
                    Some(file) => all.merge(file, &mut places),
                    None => all.others += 1,
                }
            }
        }
        all
    }

    fn merge(&mut self, file: File, places: &mut HashMap<(u64, u64), usize>) {
        let index = *places.entry(file.place).or_insert(self.files.len());
        let Some(known) = self.files.get_mut(index) else { return self.files.push(file) };
        // With more names than this, the memory would long be exhausted.
        if let (Some(next), Ok(number)) = (self.next.get_mut(known.last), u32::try_from(file.first))
        {
            *next = number;
            known.last = file.first;
        }
    }
}

/// Ranges of names of one directory.
fn batches(names: &Names) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    for number in 0..names.len() {
        let directory = |number: usize| split(names.get(number)).0;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && directory(batch.start) == directory(number) => {
                batch.end = number + 1;
            }
            _ => batches.push(number..number + 1),
        }
    }
    batches
}

/// Examines names of one directory. An entry is `None` if the name is not that of a regular file.
fn look(
    root: &Path,
    names: &Names,
    batch: &Range<usize>,
    progress: &(dyn Fn() + Sync),
) -> Vec<Option<File>> {
    let mut directory = Directory::below(root.to_owned());
    let look = |number: usize| {
        let file = file(&mut directory, number, names.get(number));
        progress();
        file
    };
    batch.clone().map(look).collect()
}

fn file(directory: &mut Directory, number: usize, name: &str) -> Option<File> {
    let (above, last) = split(name);
    let stat = statat(directory.at(above)?, last, AtFlags::empty()).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let size = u64::try_from(stat.st_size).ok()?;
    let (place, modified) = ((stat.st_dev, stat.st_ino), modified(&stat)?);
    Some(File { first: number, last: number, place, size, modified })
}

fn modified(stat: &Stat) -> Option<Timestamp> {
    Timestamp::new(stat.st_mtime, i32::try_from(stat.st_mtime_nsec).ok()?).ok()
}

/// The directory of the last name that was looked up; the next name is usually in the same one.
#[derive(Debug)]
pub(crate) struct Directory {
    top: PathBuf,
    name: String,
    opened: Option<OwnedFd>,
}

impl Directory {
    /// No directory yet; those that will be opened are below `top`.
    pub(crate) fn below(top: PathBuf) -> Self {
        Self { top, name: String::new(), opened: None }
    }

    /// Whether a file or anything else has this name; an empty name is that of the top.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        let (above, last) = split(name);
        let last = if last.is_empty() { "." } else { last };
        self.at(above).is_some_and(|fd| statat(fd, last, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// The directory of this name, to look up names in it; `None` if it cannot be opened.
    pub(super) fn at(&mut self, name: &str) -> Option<&OwnedFd> {
        if self.opened.is_none() || self.name != name {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.opened = open(self.top.join(name), flags, Mode::empty()).ok();
            name.clone_into(&mut self.name);
        }
        self.opened.as_ref()
    }
}

/// The architecture of a file, if its header and objects describe an image that a runtime can start
/// on that architecture.
pub(super) fn architecture(
    directory: &mut Directory,
    name: &str,
    size: u64,
) -> Option<&'static str> {
    // The file may meanwhile have been replaced with a FIFO, and opening a FIFO must not block.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let (above, last) = split(name);
    let file = openat(directory.at(above)?, last, flags, Mode::empty()).ok()?;
    image::inspect(&mut file.into(), size).ok().map(|image| image.architecture)
}

#[cfg(test)]
mod tests {
    use super::{BATCH, Directory, Files, architecture};
    use crate::cache::store::names::names;
    use crate::cache::store::other_roots::OtherRoots;
    use crate::cache::store::tests::{sif, store};
    use rustix::fs::{CWD, Mode, mkfifoat};
    use sif_fixture::SMALLEST;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    fn files(root: &Path) -> Files {
        Files::of(root, names(root, &OtherRoots::default()).unwrap(), &|| ())
    }

    fn first_names(files: &Files) -> Vec<&str> {
        files.files().iter().filter_map(|file| files.all_names(file).next()).collect()
    }

    #[test]
    fn many_names_are_examined_across_directories() {
        let (_directory, store) = store();
        // In sorted order, the names directly in `o` come both before and after those in `o/i`.
        let of =
            |number: usize| [format!("o/a{number}"), format!("o/i/{number}"), format!("z{number}")];
        let mut all: Vec<String> = (0..2 * BATCH + 3).flat_map(of).collect();
        all.push("o/i0".to_owned());
        all.iter().for_each(|name| sif(&store.path(name), 1));
        all.sort();
        let files = files(store.root());
        assert_eq!(first_names(&files), all);
        let mut directory = Directory::below(store.root().to_owned());
        for file in files.files() {
            let name = files.all_names(file).next().unwrap();
            assert!(architecture(&mut directory, name, file.size).is_some(), "{name}");
            assert_eq!(file.size, SMALLEST);
        }
    }

    /// The names of one file can be far from each other, and with other files between them.
    #[test]
    fn the_names_of_a_file_are_merged_in_order() {
        let (_directory, store) = store();
        let names = ["a/i:1", "a/i:2", "b:1", "z/i:3"].map(|name| store.path(name));
        sif(&names[0], 1);
        fs::create_dir(store.path("z")).unwrap();
        names[1..].iter().for_each(|name| fs::hard_link(&names[0], name).unwrap());
        sif(&store.path("b:0"), 2);
        sif(&store.path("y"), 3);
        let files = files(store.root());
        let by_name = files.by_name();
        let found = ["a/i:1", "b:1", "z/i:3", "b:0", "y", "a", "z/i:4", ""]
            .map(|name| files.find(&by_name, name));
        assert_eq!(found, [Some(0), Some(0), Some(0), Some(1), Some(2), None, None, None]);
        let all: Vec<Vec<&str>> =
            files.files().iter().map(|file| files.all_names(file).collect()).collect();
        assert_eq!(all, [vec!["a/i:1", "a/i:2", "b:1", "z/i:3"], vec!["b:0"], vec!["y"]]);
    }

    #[test]
    fn other_files_have_no_architecture() {
        let (_directory, store) = store();
        let root = store.root();
        sif(&store.path("a"), 1);
        fs::write(store.path("cut"), &fs::read(store.path("a")).unwrap()[..127]).unwrap();
        mkfifoat(CWD, store.path("fifo"), Mode::RUSR).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"\xff")), "").unwrap();
        let files = files(root);
        assert_eq!((first_names(&files), files.others), (vec!["a", "cut"], 2));
        let mut directory = Directory::below(root.to_owned());
        std::os::unix::fs::symlink("nowhere", store.path("dangling")).unwrap();
        let found = ["", "a", "fifo", "dangling", "absent", "none/a", "a/"];
        let found = found.map(|name| directory.has(name));
        assert_eq!(found, [true, true, true, true, false, false, false]);
        let mut is_image = |name: &str| architecture(&mut directory, name, SMALLEST).is_some();
        assert_eq!(
            ["a", "cut", "absent", "none/a"].map(&mut is_image),
            [true, false, false, false]
        );
    }
}
