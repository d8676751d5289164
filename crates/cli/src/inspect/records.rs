//! Compares the records in `.sifcache/metadata` with the files.

use super::file::File;
use super::finding::{DIGEST_MISMATCH, Finding, RECORD_WITHOUT_IMAGE};
use super::fix::Fix;
use super::tree::compare;
use crate::cache::image_name;
use crate::cache::store::STATE;
use crate::cache::store::metadata::Record;
use crate::system::timeout::Watchdog;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use std::path::Path;
use walkdir::{DirEntry, WalkDir};

/// Finds the record of each file, which may be stored under any of its names.
pub(crate) fn load_all(files: &mut [File], watchdog: &Watchdog) {
    let identity = |index: &u32| file(files, *index).and_then(File::identity);
    // With more names than this, the memory would long be exhausted.
    let mut indices: Vec<u32> = (0..u32::try_from(files.len()).unwrap_or(u32::MAX)).collect();
    indices.par_sort_unstable_by_key(|index| (identity(index), *index));
    let is_same =
        |one: &u32, other: &u32| identity(one).is_some() && identity(one) == identity(other);
    let groups = indices.par_chunk_by(is_same);
    let found: Vec<Found<'_>> = groups.filter_map(|group| found(files, group, watchdog)).collect();
    for Found { names, recorded, mismatches } in found {
        for index in names {
            if let Some(file) = file_mut(files, *index) {
                file.recorded = Some(recorded);
            }
        }
        for (index, what) in mismatches {
            if let Some(file) = file_mut(files, index) {
                file.rare.get_or_insert_default().mismatch = Some(what);
            }
        }
    }
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
    /// The names with a digest that the record does not have, and what it has.
    mismatches: Vec<(u32, String)>,
}

fn found<'a>(files: &[File], names: &'a [u32], watchdog: &Watchdog) -> Option<Found<'a>> {
    let load = |index: &u32| {
        let file = file(files, *index)?;
        Some((*index, watchdog.at(&file.path, || file.own_record())?))
    };
    // If the records differ, the last name counts.
    let (recorded, record) = names.iter().rev().find_map(load)?;
    let mismatch = |index: &u32| {
        let name = file(files, *index)?.name().to_str().filter(|name| name.contains('@'))?;
        mismatch(&image_name::reference(name)?, &record).map(|what| (*index, what))
    };
    let mismatches = names.iter().filter_map(mismatch).collect();
    Some(Found { names, recorded, mismatches })
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
    Some(Finding::problem(DIGEST_MISMATCH, &file.path, what, "remove this name"))
}

/// Reports records without a file. `files` are the files under the root, sorted by path.
pub(crate) fn orphans(root: &Path, files: &[File], watchdog: &Watchdog) -> Vec<Finding> {
    let directory = root.join(STATE).join("metadata");
    let entries = WalkDir::new(&directory).into_iter().flatten();
    let records = entries.filter(|entry| entry.file_type().is_file());
    let orphan = |entry: DirEntry| {
        let record = entry.path();
        let name = record.strip_prefix(&directory).ok()?.to_str()?.strip_suffix(".json")?;
        let path = root.join(name);
        let exists = files.binary_search_by(|file| compare(&file.path, &path)).is_ok()
            || watchdog.at(record, || path.symlink_metadata().is_ok());
        (!exists).then(|| without_file(&directory, record, name))
    };
    records.filter_map(orphan).collect()
}

fn without_file(directory: &Path, record: &Path, name: &str) -> Finding {
    let what = format!("a record of {name}, which does not exist");
    let fix = Fix::Forget(record.to_owned(), directory.to_owned());
    let finding = Finding::problem(RECORD_WITHOUT_IMAGE, record, what, "remove it");
    finding.with_fix(Some(fix))
}
