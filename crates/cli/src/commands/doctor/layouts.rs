//! Checks that the files of an image root that another tool fills have the names of its layout.

use super::finding::Finding;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::layout::Layout;
use std::fs::{self, DirEntry};
use std::path::Path;

/// The maximum number of entries that are read: a depot has more than 100,000.
const MAX_ENTRIES: usize = 1000;

/// Checks the directory `path`, which the site calls `root`.
pub(super) fn check(path: &Path, root: &Path, layout: Layout) -> Finding {
    let name = escape_for_terminal(root);
    let Ok(entries) = fs::read_dir(path) else {
        return Finding::skipped("layout", format!("{name}: cannot be listed"));
    };
    let mut entries = entries.take(MAX_ENTRIES).flatten();
    match entries.any(|entry| fits(&entry, layout)) {
        true => Finding::ok("layout", format!("{name}: has files of the layout {layout}")),
        false => Finding::warn("layout", format!("{name}: has no file of the layout {layout}"))
            .advice(format!("{layout}= must name {}", description(layout))),
    }
}

fn fits(entry: &DirEntry, layout: Layout) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    match layout {
        Layout::Galaxy => name.contains(':'),
        Layout::Nextflow => name.ends_with(".img") || name.ends_with(".sif"),
        Layout::Pulls => name.ends_with(".sif") && name.contains(['_', '@']),
        Layout::Shpc => entry.path().is_dir(),
    }
}

fn description(layout: Layout) -> &'static str {
    match layout {
        Layout::Galaxy => "the directory with the files NAME:TAG",
        Layout::Nextflow => "the directory with the files NAME.img",
        Layout::Pulls => "the directory with the files NAME_TAG.sif",
        Layout::Shpc => "the container_base of shpc",
    }
}
