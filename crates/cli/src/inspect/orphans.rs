//! Records in `.sifcache/metadata` of files that do not exist. Several threads list directories at
//! the same time.

use super::file::File;
use super::finding::{Finding, RECORD_WITHOUT_IMAGE};
use super::fix::Fix;
use super::paths::compare;
use super::records;
use crate::cache::store::metadata;
use crate::system::file_name;
use crate::system::timeout::Watchdog;
use rayon::Scope;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The findings, sorted by path. `files` are the files under the root, sorted by path.
pub(crate) fn judge(root: &Path, files: &[File], watchdog: &Watchdog) -> Vec<Finding> {
    let directory = records::directory(root);
    let found = Mutex::default();
    let search = Search { root, directory: &directory, files, watchdog, found };
    rayon::scope(|scope| search.list(scope, directory.clone()));
    let mut found = search.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

struct Search<'a> {
    root: &'a Path,
    /// The directory of all records.
    directory: &'a Path,
    files: &'a [File],
    watchdog: &'a Watchdog,
    found: Mutex<Vec<Finding>>,
}

impl<'a> Search<'a> {
    /// Searches a directory and, in other tasks, those below it.
    fn list<'s>(&'s self, scope: &Scope<'s>, directory: PathBuf)
    where
        'a: 's,
    {
        let list = || fs::read_dir(&directory).into_iter().flatten().flatten().collect::<Vec<_>>();
        let entries = self.watchdog.at(&directory, list);
        let files = self.files_below(&directory);
        for entry in entries {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    scope.spawn(move |scope| self.list(scope, entry.path()));
                }
                Ok(kind) if kind.is_file() => self.record(&entry.path(), files),
                _ => {}
            }
        }
    }

    /// The files below the directory whose records are in this one. They are next to each other, and
    /// a search among few files is far faster than one among all.
    fn files_below(&self, records: &Path) -> &'a [File] {
        let name = records.strip_prefix(self.directory).unwrap_or(Path::new(""));
        let directory = self.root.join(name);
        let start = self.files.partition_point(|file| compare(file.path(), &directory).is_lt());
        let files = self.files.get(start..).unwrap_or_default();
        let end = files.partition_point(|file| is_below(file.path(), &directory));
        files.get(..end).unwrap_or_default()
    }

    /// Checks a record. `files` are those below its directory.
    fn record(&self, record: &Path, files: &[File]) {
        let name = record.strip_prefix(self.directory).ok().and_then(Path::to_str);
        let Some(name) = name.and_then(|name| name.strip_suffix(".json")) else { return };
        let path = self.root.join(name);
        let exists = files.binary_search_by(|file| compare(file.path(), &path)).is_ok()
            || self.watchdog.at(record, || path.symlink_metadata().is_ok())
            || is_of_long_name(record, files);
        if !exists {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push(without_file(self.directory, record, name));
        }
    }
}

/// Whether this is the record of one of the files, under a shortened name.
fn is_of_long_name(record: &Path, files: &[File]) -> bool {
    let Some(name) = record.file_name().filter(|name| name.len() == file_name::MAX) else {
        return false;
    };
    let last =
        |file: &File| file.path().file_name().and_then(OsStr::to_str).map(metadata::file_name);
    files.iter().filter_map(last).any(|of_file| of_file == name)
}

/// Compares bytes, which is faster than [`Path::starts_with`], which compares all components.
fn is_below(path: &Path, directory: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(directory.as_os_str().as_bytes())
}

fn without_file(directory: &Path, record: &Path, name: &str) -> Finding {
    let what = format!("a record of {name}, which does not exist");
    let fix = Fix::Forget(record.to_owned(), directory.to_owned());
    let finding = Finding::problem(RECORD_WITHOUT_IMAGE, record, what, "remove it");
    finding.with_fix(Some(fix))
}
