//! Determines which of many names exist. A file server answers one request for the entries of a
//! directory faster than one for each name, and so does a local file system.

use super::file::Directory;
use super::names::split;
use rayon::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::path::Path;

/// Up to this many names of one directory are looked up one by one.
const FEW: usize = 3;
/// The listing of a directory ends after this many entries for each wanted name. The other names
/// are then looked up one by one.
const LARGER: usize = 16;
/// The size of the buffer for entries, in bytes.
const BUFFER: usize = 32 << 10;

/// Whether each of the names below `root` exists, as an entry of any type. `name` returns the name
/// for each number below `count`; the names are sorted as bytes and distinct.
pub(crate) fn exist<'a>(
    root: &Path,
    count: usize,
    name: &(dyn Fn(usize) -> &'a str + Sync),
) -> Vec<bool> {
    let looks = runs(count, name).into_par_iter().map_init(
        || Look { root, directory: Directory::below(root.to_owned()), buffer: Vec::new() },
        |look, run| look.run(&run.map(name).collect::<Vec<_>>()),
    );
    let all: Vec<Vec<bool>> = looks.collect();
    all.concat()
}

/// Ranges of names of one directory.
fn runs<'a>(count: usize, name: &dyn Fn(usize) -> &'a str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut last = None;
    for number in 0..count {
        let directory = split(name(number)).0;
        match runs.last_mut() {
            Some(run) if last == Some(directory) => run.end = number + 1,
            _ => runs.push(number..number + 1),
        }
        last = Some(directory);
    }
    runs
}

/// Looks for names.
struct Look<'a> {
    root: &'a Path,
    directory: Directory,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Look<'_> {
    /// Whether each of these names of one directory exists.
    fn run(&mut self, names: &[&str]) -> Vec<bool> {
        let mut found = vec![false; names.len()];
        // An empty name is that of the directory itself, which is not one of its entries.
        let is_usual = names.len() > FEW && names.iter().all(|name| !split(name).1.is_empty());
        let is_whole = is_usual && self.list(names, &mut found).unwrap_or(false);
        if !is_whole {
            for (name, found) in names.iter().zip(&mut found) {
                *found |= self.directory.has(name);
            }
        }
        found
    }

    /// Finds the names among the entries of their directory. Returns whether all entries were read.
    fn list(&mut self, names: &[&str], found: &mut [bool]) -> io::Result<bool> {
        let above = names.first().map_or("", |first| split(first).0);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, self.root.join(above), flags, Mode::empty())?;
        self.buffer.resize(BUFFER, MaybeUninit::uninit());
        let mut entries = RawDir::new(directory, &mut self.buffer);
        for _ in 0..names.len() * LARGER {
            let Some(entry) = entries.next() else { return Ok(true) };
            let entry = entry?;
            let last = entry.file_name().to_bytes();
            let place = names.binary_search_by(|name| split(name).1.as_bytes().cmp(last));
            if let Some(found) = place.ok().and_then(|place| found.get_mut(place)) {
                *found = true;
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, LARGER, exist};
    use rayon::ThreadPoolBuilder;
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    fn names(root: &Path, names: &[String]) -> Vec<String> {
        let exist = exist(root, names.len(), &|number| names[number].as_str());
        assert_eq!(exist.len(), names.len());
        let existing = names.iter().zip(exist).filter(|(_, exists)| *exists);
        existing.map(|(name, _)| name.clone()).collect()
    }

    /// Drops the capabilities of this thread to access files regardless of their modes.
    fn obey_modes() {
        let mut sets = capabilities(None).unwrap();
        sets.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        set_capabilities(None, sets).unwrap();
    }

    /// Directories with few and with many wanted names, in which some names are gone.
    #[test]
    fn names_that_exist_are_found() {
        let root = tempfile::tempdir().unwrap();
        let (mut all, mut there) = (Vec::new(), Vec::new());
        for (directory, count) in [("", 2), ("", 9), ("a/", FEW), ("a/b/", FEW + 1), ("c/", 300)] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            for number in 0..count {
                let name = format!("{directory}{count}-{number}");
                if number % 3 != 1 {
                    fs::write(root.path().join(&name), "").unwrap();
                    there.push(name.clone());
                }
                all.push(name);
            }
        }
        // A name can be that of a directory, and sort between the names in it and others.
        all.extend(["a", "a-", "c", "none/1", "none/2", "none/3", "none/4"].map(str::to_owned));
        there.extend(["a", "c"].map(str::to_owned));
        symlink("nowhere", root.path().join("z")).unwrap();
        all.push("z".to_owned());
        there.push("z".to_owned());
        all.sort();
        there.sort();
        assert_eq!(names(root.path(), &all), there);
        all.insert(0, String::new());
        there.insert(0, String::new());
        assert_eq!(names(root.path(), &all), there);
        assert_eq!(names(root.path(), &[]), [] as [String; 0]);
    }

    /// The directory of a few images may have millions of other entries.
    #[test]
    fn names_in_a_large_directory_are_found() {
        let root = tempfile::tempdir().unwrap();
        let name = |number: usize| format!("{number:06}");
        // The order of the entries is unknown, but no part of this size has all wanted names.
        let wanted: Vec<String> = (0..9).map(|number| name(number * 199)).collect();
        assert!(wanted.len() > FEW && wanted.len() * LARGER < 1000);
        for number in 0..8 * 199 {
            fs::write(root.path().join(name(number)), "").unwrap();
        }
        assert_eq!(names(root.path(), &wanted), wanted[..8]);
    }

    #[test]
    fn names_in_a_directory_that_cannot_be_listed_are_found() {
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("o");
        fs::create_dir(&closed).unwrap();
        let wanted: Vec<String> = (0..FEW + 1).map(|number| format!("o/{number}")).collect();
        fs::write(root.path().join("o/1"), "").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o311)).unwrap();
        // Root may list any directory, so the threads of this pool give up the permission.
        let pool = ThreadPoolBuilder::new().start_handler(|_| obey_modes()).build().unwrap();
        pool.install(|| {
            fs::read_dir(&closed).unwrap_err();
            assert_eq!(names(root.path(), &wanted), ["o/1"]);
        });
    }
}
