//! Temporary content of `.sifcache`: work in progress, and kept files.

use super::finding::{Finding, IN_PROGRESS, INTERRUPTED, KEPT};
use super::fix::Fix;
use crate::cache::store::scratch::{self, Maker};
use crate::cache::store::{STATE, retention};
use crate::system::timeout::Watchdog;
use crate::ui::format;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Work in progress, and leftovers of killed commands.
pub(crate) fn scratches(root: &Path, watchdog: &Watchdog) -> Vec<Finding> {
    let parent = root.join(STATE).join("tmp");
    let finding = |(path, maker): (PathBuf, Maker)| match maker {
        Maker::Lives => Finding::note(IN_PROGRESS, &path, "in use by a running command", ""),
        Maker::Dead => {
            let size = format::size(usage(&path, watchdog).1);
            let what = format!("left by a command that was killed, {size}");
            let advice = "--fix removes it, and so does the next command that writes here";
            let finding = Finding::problem(INTERRUPTED, &path, what, advice);
            finding.with_fix(Some(Fix::Sweep(parent.clone())))
        }
    };
    scratch::list(&parent).into_iter().map(finding).collect()
}

/// One finding for all files that were replaced or removed and are still kept.
pub(crate) fn kept_files(root: &Path, watchdog: &Watchdog) -> Option<Finding> {
    let kept = retention::list(root);
    let until = kept.iter().map(|(_, until)| *until).max()?;
    let usages: Vec<_> = kept.iter().map(|(path, _)| usage(path, watchdog)).collect();
    let files: u64 = usages.iter().map(|(files, _)| files).sum();
    let bytes: u64 = usages.iter().map(|(_, bytes)| bytes).sum();
    let noun = if files == 1 { "file" } else { "files" };
    let what = format!(
        "{files} replaced or removed {noun}, {}, kept until {} at the latest",
        format::size(bytes),
        format::day(until)
    );
    Some(Finding::note(KEPT, &root.join(STATE).join("kept"), what, ""))
}

/// The number of files below a directory, and their total size in bytes.
fn usage(directory: &Path, watchdog: &Watchdog) -> (u64, u64) {
    let entries = WalkDir::new(directory).into_iter().flatten();
    let files = entries.filter_map(|entry| watchdog.at(entry.path(), || entry.metadata().ok()));
    files
        .filter(std::fs::Metadata::is_file)
        .fold((0, 0), |(count, bytes), metadata| (count + 1, bytes + metadata.len()))
}
