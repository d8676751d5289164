//! The entries in the directories of a view.

use super::engine::Layout;
use rustix::fs::{CWD, Mode, OFlags, open, readlinkat};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The start of the names of temporary links.
pub(crate) const TEMPORARY: &str = ".sifcache-";

/// An entry in the directory of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A symbolic link, with its target.
    Link(PathBuf),
    /// Anything else.
    Other,
}

/// The entries of a layout's directory by their names, which are relative to that directory. There
/// are none if the directory does not exist.
///
/// # Errors
/// A directory cannot be read.
pub(crate) fn entries(directory: &Path, layout: Layout) -> io::Result<BTreeMap<String, Entry>> {
    match directory.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => {}
    }
    if layout.is_nested() {
        return nested(directory);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = open(directory, flags, Mode::empty())?;
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // No engine computes a name that is not text.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_link = entry.file_type()?.is_symlink();
        let entry = read(&handle, Path::new(&name), is_link)?;
        all.insert(name, entry);
    }
    Ok(all)
}

fn nested(directory: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let mut all = BTreeMap::new();
    for entry in WalkDir::new(directory).min_depth(1) {
        let entry = entry?;
        let name = entry.path().strip_prefix(directory).ok().and_then(Path::to_str);
        let Some(name) = name.filter(|_| !entry.file_type().is_dir()) else { continue };
        all.insert(name.to_owned(), read(CWD, entry.path(), entry.path_is_symlink())?);
    }
    Ok(all)
}

fn read(directory: impl AsFd, path: &Path, is_link: bool) -> io::Result<Entry> {
    if !is_link {
        return Ok(Entry::Other);
    }
    let target = readlinkat(directory, path, Vec::with_capacity(128))?;
    Ok(Entry::Link(PathBuf::from(OsString::from_vec(target.into_bytes()))))
}
