//! Compares the records in `.sifcache/metadata` with the files.

use super::file::File;
use super::finding::{DIGEST_MISMATCH, Finding, RECORD_WITHOUT_IMAGE};
use super::fix::Fix;
use super::timeout::Watchdog;
use crate::cache::image_name;
use crate::cache::store::STATE;
use crate::cache::store::metadata::Record;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use walkdir::{DirEntry, WalkDir};

/// Finds the record of each file, which may be stored under any of its names.
pub(crate) fn load_all(files: &mut [File], watchdog: &Watchdog) {
    let identity = |index: &usize| files.get(*index).and_then(File::identity);
    let mut indices: Vec<usize> = (0..files.len()).collect();
    indices.par_sort_unstable_by_key(|index| (identity(index), *index));
    let groups: Vec<&[usize]> = indices
        .chunk_by(|one, other| identity(one).is_some() && identity(one) == identity(other))
        .collect();
    let found: Vec<Found<'_>> =
        groups.into_par_iter().filter_map(|group| found(files, group, watchdog)).collect();
    for Found { names, recorded, mismatches } in found {
        let recorded = u32::try_from(recorded).ok();
        for index in names {
            if let Some(file) = files.get_mut(*index) {
                file.recorded = recorded;
            }
        }
        for (index, what) in mismatches {
            if let Some(file) = files.get_mut(index) {
                file.rare.get_or_insert_default().mismatch = Some(what);
            }
        }
    }
}

/// The record of a file.
struct Found<'a> {
    /// The indices of the names of the file.
    names: &'a [usize],
    /// The index of the name under which the record is stored.
    recorded: usize,
    /// The names with a digest that the record does not have, and what it has.
    mismatches: Vec<(usize, String)>,
}

fn found<'a>(files: &[File], names: &'a [usize], watchdog: &Watchdog) -> Option<Found<'a>> {
    let load = |index: &usize| {
        let file = files.get(*index)?;
        Some((*index, watchdog.at(&file.path, || file.own_record())?))
    };
    // If the records differ, the last name counts.
    let (recorded, record) = names.iter().rev().find_map(load)?;
    let mismatch = |index: &usize| {
        let name = files.get(*index)?.name().to_str().filter(|name| name.contains('@'))?;
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

/// Reports records without a file. `files` are the files under the root.
pub(crate) fn orphans(root: &Path, files: &[File], watchdog: &Watchdog) -> Vec<Finding> {
    let directory = root.join(STATE).join("metadata");
    let names: HashSet<&OsStr> = files.iter().map(|file| file.name().as_os_str()).collect();
    let entries = WalkDir::new(&directory).into_iter().flatten();
    let records = entries.filter(|entry| entry.file_type().is_file());
    let orphan = |entry: DirEntry| {
        let record = entry.path();
        let name = record.strip_prefix(&directory).ok()?.to_str()?.strip_suffix(".json")?;
        let exists = names.contains(OsStr::new(name))
            || watchdog.at(record, || root.join(name).symlink_metadata().is_ok());
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
