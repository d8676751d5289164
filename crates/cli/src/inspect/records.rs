//! Reads the records in `.sifcache/metadata` of the files.

use super::file::{File, Identity, Known};
use super::finding::{DIGEST_MISMATCH, Finding};
use crate::cache::image_name;
use crate::cache::store::STATE;
use crate::cache::store::file::Directory;
use crate::cache::store::metadata::Record;
use crate::system::timeout::Watchdog;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The number of files whose records a thread reads in a row.
const PART: usize = 64;
/// The number of parts whose records are held at a time.
const PARTS: usize = 16;

/// Finds the record of each file, which may be stored under any of its names. `root` is the image
/// root of all files.
pub(crate) fn load_all(root: &Path, files: &mut [File], watchdog: &Watchdog) {
    let directory = directory(root);
    if !watchdog.at(&directory, || directory.is_dir()) {
        return;
    }
    let indices = by_identity(files);
    let is_same = |one: &u32, other: &u32| identity(files, *one) == identity(files, *other);
    let mut groups: Vec<&[u32]> = indices.chunk_by(is_same).collect();
    // The records of one directory are next to each other.
    groups.sort_unstable();
    for groups in groups.chunks(PART * PARTS) {
        let parts = groups.par_chunks(PART).map(|groups| {
            let records = Directory::below(directory.clone());
            let mut reader = Reader { files, watchdog, records };
            groups.iter().filter_map(|group| reader.found(group)).collect::<Vec<_>>()
        });
        let found: Vec<Vec<Found<'_>>> = parts.collect();
        found.into_iter().flatten().for_each(|found| note(files, found));
    }
}

/// Adds a record to the names of its file.
fn note(files: &mut [File], Found { names, recorded, known, mismatches }: Found<'_>) {
    for index in names {
        if let Some(file) = file_mut(files, *index) {
            (file.recorded, file.known) = (Some(recorded), Some(known));
        }
    }
    for (index, what) in mismatches {
        if let Some(file) = file_mut(files, index) {
            file.rare.get_or_insert_default().mismatch = Some(what);
        }
    }
}

/// The directory of the records.
pub(super) fn directory(root: &Path) -> PathBuf {
    root.join(STATE).join("metadata")
}

/// The indices of all files with metadata. Those of the names of one file follow each other, in the
/// order of the names as bytes.
fn by_identity(files: &[File]) -> Vec<u32> {
    // With more names than this, the memory would long be exhausted.
    let all = 0..u32::try_from(files.len()).unwrap_or(u32::MAX);
    let mut indices: Vec<u32> = all.filter(|index| identity(files, *index).is_some()).collect();
    let name = |index: u32| file(files, index).map(|file| file.name().as_os_str().as_bytes());
    indices.par_sort_unstable_by(|one, other| {
        let identities = identity(files, *one).cmp(&identity(files, *other));
        identities.then_with(|| name(*one).cmp(&name(*other)))
    });
    indices
}

fn identity(files: &[File], index: u32) -> Option<Identity> {
    file(files, index)?.identity()
}

fn file(files: &[File], index: u32) -> Option<&File> {
    files.get(usize::try_from(index).ok()?)
}

fn file_mut(files: &mut [File], index: u32) -> Option<&mut File> {
    files.get_mut(usize::try_from(index).ok()?)
}

/// The record of a file.
struct Found<'a> {
    /// The indices of the names of the file.
    names: &'a [u32],
    /// The index of the name under which the record is stored.
    recorded: u32,
    known: Known,
    /// The names with a digest that the record does not have, and what it has.
    mismatches: Vec<(u32, String)>,
}

/// Reads records, usually several of one directory in a row.
struct Reader<'a> {
    files: &'a [File],
    watchdog: &'a Watchdog,
    records: Directory,
}

impl<'a> Reader<'a> {
    /// The record of the file that has these names: the first one, as for `list`.
    fn found<'n>(&mut self, names: &'n [u32]) -> Option<Found<'n>> {
        let (recorded, record) = names.iter().find_map(|index| self.load(*index))?;
        let mut mismatches = self.mismatches(names, &record);
        // Several references can share a file, and the record of each has its own digests. A name
        // is wrong if neither the first nor the last record has its digest.
        if !mismatches.is_empty() {
            let of_last = self.last(names).map(|last| self.mismatches(names, &last));
            let is_wrong = |index| mismatches.iter().any(|(other, _)| *other == index);
            let of_both = of_last.into_iter().flatten().filter(|(index, _)| is_wrong(*index));
            mismatches = of_both.collect();
        }
        Some(Found { names, recorded, known: Known::of(&record), mismatches })
    }

    /// The record under the last name that has one, in the order of the paths.
    fn last(&mut self, names: &[u32]) -> Option<Record> {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.iter().rev().find_map(|index| Some(self.load(*index)?.1))
    }

    fn load(&mut self, index: u32) -> Option<(u32, Record)> {
        let file = file(self.files, index)?;
        let record = self.watchdog.at(file.path(), || file.own_record(&mut self.records));
        Some((index, record?))
    }

    fn mismatches(&self, names: &[u32], record: &Record) -> Vec<(u32, String)> {
        let mismatch = |index: &u32| {
            let name = file(self.files, *index)?.name().to_str().filter(|name| name.contains('@'));
            mismatch(&image_name::reference(name?)?, record).map(|what| (*index, what))
        };
        names.iter().filter_map(mismatch).collect()
    }
}

/// Describes the digests of a record that lacks the digest of the name.
fn mismatch(reference: &Reference, record: &Record) -> Option<String> {
    let digest = reference.digest().filter(|_| !record.digests.is_empty())?;
    if record.digests.iter().any(|recorded| recorded == digest) {
        return None;
    }
    Some(format!("according to its record, it is {}", record.digests.join(" and ")))
}

/// Reports a name with a digest that differs from the recorded digests of its file.
pub(crate) fn report_mismatch(file: &File) -> Option<Finding> {
    let what = file.rare.as_ref()?.mismatch.as_ref()?;
    Some(Finding::problem(DIGEST_MISMATCH, file.path(), what, "remove this name"))
}

#[cfg(test)]
mod tests {
    use super::{PART, PARTS};
    use crate::cache::store::tests::{sif, store};
    use crate::inspect::survey;
    use jiff::Timestamp;
    use sifcache_core::settings::Settings;
    use std::fs;
    use std::time::Duration;

    /// More records than are held at a time.
    #[test]
    fn every_record_is_noted() {
        let (_directory, store) = store();
        let records = store.state().join("metadata/o");
        fs::create_dir_all(&records).unwrap();
        let count = PART * PARTS + 3;
        for number in 0..count {
            let file = store.path(&format!("o/i:{number}"));
            sif(&file, 1);
            let metadata = fs::metadata(&file).unwrap();
            let record = serde_json::json!({
                "reference": format!("docker.io/o/i:{number}"), "source": "-", "digests": [],
                "added": Timestamp::from_second(number.try_into().unwrap()).unwrap(),
                "runtime": null, "sha256": "", "size": metadata.len(),
                "modified": Timestamp::try_from(metadata.modified().unwrap()).unwrap(),
            });
            fs::write(records.join(format!("i:{number}.json")), record.to_string()).unwrap();
        }
        let settings = Settings::with_roots(vec![store.root().to_owned()]);
        let survey = survey::survey(&settings, Duration::from_secs(30)).unwrap();
        let mut added: Vec<i64> = survey
            .files
            .iter()
            .map(|file| file.known.unwrap().added().unwrap().as_second())
            .collect();
        added.sort_unstable();
        assert!(added.into_iter().eq(0..count.try_into().unwrap()));
    }
}
