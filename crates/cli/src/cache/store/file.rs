//! Examines the files under an image root, one directory at a time.
//!
//! A cache can contain thousands of files, so the number of system calls matters, and so does the
//! length of each path that the kernel has to resolve. A directory is therefore opened once, and
//! many names are looked up relative to it.

use jiff::Timestamp;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, openat, statat};
use rustix::path::Arg;
use sifcache_core::image;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The maximum number of names of one directory that a thread processes at a time.
const BATCH: usize = 64;

/// A regular file and all its names.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root.
    pub(super) names: Vec<String>,
    /// Device and inode number.
    pub(super) place: (u64, u64),
    /// Size in bytes.
    pub(super) size: u64,
    /// The modification time.
    pub(super) modified: Timestamp,
    /// The architecture from the header, if the header was read and the file is an image.
    pub(super) architecture: Option<&'static str>,
}

/// Examines each of the sorted `names` under `root`. Returns one entry per name: `None` if the name
/// is not that of a regular file. The header is read only for names that satisfy `has_header_read`.
pub(super) fn look(
    root: &Path,
    names: &[PathBuf],
    has_header_read: &(dyn Fn(&str) -> bool + Sync),
) -> Vec<Option<File>> {
    let directories = names.chunk_by(|one, other| split(one).0 == split(other).0);
    let batches: Vec<&[PathBuf]> = directories.flat_map(|names| names.chunks(BATCH)).collect();
    batches.into_par_iter().flat_map_iter(|names| batch(root, names, has_header_read)).collect()
}

/// Examines names of one directory.
fn batch(
    root: &Path,
    names: &[PathBuf],
    has_header_read: &(dyn Fn(&str) -> bool + Sync),
) -> Vec<Option<File>> {
    let directory = names.first().and_then(|first| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(root.join(split(first).0), flags, Mode::empty()).ok()
    });
    let one = |name: &PathBuf| file(directory.as_ref()?, name, has_header_read);
    names.iter().map(one).collect()
}

/// Splits a name into its directory and its last component. `Path` would iterate over the
/// components, which takes longer than the system calls.
fn split(name: &Path) -> (&str, &str) {
    let text = name.to_str().unwrap_or_default();
    text.rsplit_once('/').unwrap_or(("", text))
}

fn file(
    directory: &OwnedFd,
    path: &Path,
    has_header_read: &(dyn Fn(&str) -> bool + Sync),
) -> Option<File> {
    let name = path.to_str()?.to_owned();
    let (_, last) = split(path);
    let stat = statat(directory, last, AtFlags::empty()).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let size = u64::try_from(stat.st_size).ok()?;
    let architecture = match has_header_read(&name) {
        true => architecture(directory, last, size),
        false => None,
    };
    let (place, modified) = ((stat.st_dev, stat.st_ino), modified(&stat)?);
    Some(File { names: vec![name], place, size, modified, architecture })
}

fn modified(stat: &Stat) -> Option<Timestamp> {
    Timestamp::new(stat.st_mtime, i32::try_from(stat.st_mtime_nsec).ok()?).ok()
}

/// The architecture of a file, if its header and objects describe an image that a runtime can start
/// on that architecture.
pub(super) fn architecture(
    directory: impl AsFd,
    name: impl Arg,
    size: u64,
) -> Option<&'static str> {
    // The file may meanwhile have been replaced with a FIFO, and opening a FIFO must not block.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty()).ok()?;
    image::inspect(&mut file.into(), size).ok().map(|image| image.architecture)
}

#[cfg(test)]
mod tests {
    use super::{BATCH, File, look};
    use crate::cache::store::scan::names;
    use crate::cache::store::tests::{sif, store};
    use rustix::fs::{CWD, Mode, mkfifoat};
    use sif_fixture::SMALLEST;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

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
        let files = look(store.root(), &names(store.root()).unwrap(), &|_| true);
        let found: Vec<File> = files.into_iter().flatten().collect();
        assert_eq!(
            found.iter().map(|file| &file.names[0]).collect::<Vec<_>>(),
            all.iter().collect::<Vec<_>>()
        );
        assert!(found.iter().all(|file| file.architecture.is_some() && file.size == SMALLEST));
    }

    #[test]
    fn other_files_and_unread_files_have_no_architecture() {
        let (_directory, store) = store();
        let root = store.root();
        sif(&store.path("a"), 1);
        fs::write(store.path("cut"), &fs::read(store.path("a")).unwrap()[..127]).unwrap();
        mkfifoat(CWD, store.path("fifo"), Mode::RUSR).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"\xff")), "").unwrap();
        sif(&store.path("z"), 1);
        let files = look(root, &names(root).unwrap(), &|name| name != "z");
        let is_image = |file: &Option<File>| file.as_ref().map(|file| file.architecture.is_some());
        let is_image: Vec<Option<bool>> = files.iter().map(is_image).collect();
        assert_eq!(is_image, [Some(true), Some(false), None, Some(false), None]);
    }
}
