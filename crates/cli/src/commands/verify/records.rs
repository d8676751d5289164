//! Compares the records in `.sifcache/metadata` with the files.

use super::file::{File, Identity};
use super::finding::{DIGEST_MISMATCH, Finding, RECORD_WITHOUT_IMAGE};
use super::fix::Fix;
use super::timeout::Watchdog;
use crate::cache::store::STATE;
use crate::cache::store::metadata::{Record, modified};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use walkdir::WalkDir;

/// Loads the record of each file, which may be stored under any of its names.
pub(crate) fn load_all(root: &Path, files: &mut [File], watchdog: &Watchdog) {
    let load_one = |file: &File| {
        let record = watchdog.at(&file.path, || load(root, file));
        Some((file.identity()?, Arc::new(record?)))
    };
    let loaded: Vec<Option<(Identity, Arc<Record>)>> = files.par_iter().map(load_one).collect();
    let records: HashMap<Identity, Arc<Record>> = loaded.into_iter().flatten().collect();
    for file in files {
        file.record = file.identity().and_then(|identity| records.get(&identity).cloned());
    }
}

fn load(root: &Path, file: &File) -> Option<Record> {
    let metadata = file.metadata.as_ref().filter(|metadata| metadata.is_file())?;
    Record::load(root, file.name.to_str()?, metadata.len(), modified(metadata)?)
}

/// Reports a name with a digest that differs from the recorded digests of its file.
pub(crate) fn mismatch(file: &File) -> Option<Finding> {
    let digest = file.reference.as_ref()?.digest()?;
    let record = file.record.as_ref().filter(|record| !record.digests.is_empty())?;
    if record.digests.iter().any(|recorded| recorded == digest) {
        return None;
    }
    let what = format!("according to its record, it is {}", record.digests.join(" and "));
    Some(Finding::problem(DIGEST_MISMATCH, &file.path, what, "remove this name"))
}

/// Reports records without a file.
pub(crate) fn orphans(root: &Path, watchdog: &Watchdog) -> Vec<Finding> {
    let directory = root.join(STATE).join("metadata");
    let entries = WalkDir::new(&directory).into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.filter_map(|entry| orphan(root, &directory, entry.path(), watchdog)).collect()
}

fn orphan(root: &Path, directory: &Path, record: &Path, watchdog: &Watchdog) -> Option<Finding> {
    let name = record.strip_prefix(directory).ok()?.to_str()?.strip_suffix(".json")?;
    if watchdog.at(record, || root.join(name).symlink_metadata().is_ok()) {
        return None;
    }
    let what = format!("a record of {name}, which does not exist");
    let fix = Fix::Forget(record.to_owned(), directory.to_owned());
    let finding = Finding::problem(RECORD_WITHOUT_IMAGE, record, what, "remove it");
    Some(finding.with_fix(Some(fix)))
}
