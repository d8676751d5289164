//! Detects whether a runtime that pulls an image makes progress: whether the files that it writes
//! change.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The minimum interval between two scans of the files.
const INTERVAL: Duration = Duration::from_secs(1);
/// The interval is at least this many times as long as a scan takes, so that scans of many files
/// stay cheap.
const SHARE: u32 = 50;

/// The files of a pull.
#[derive(Debug)]
pub(super) struct Growth {
    directories: [PathBuf; 2],
    /// The number of files and directories, and the total size of the files in bytes, at the last
    /// scan.
    seen: Cell<(u64, u64)>,
    next: Cell<Instant>,
}

impl Growth {
    /// Watches all files below these directories.
    pub(super) fn new(directories: [&Path; 2]) -> Self {
        Self {
            directories: directories.map(Path::to_owned),
            seen: Cell::default(),
            next: Cell::new(Instant::now()),
        }
    }

    /// Whether the files have changed since the last scan. Returns false without a scan if the last
    /// one was too recent.
    pub(super) fn has_grown(&self) -> bool {
        let begun = Instant::now();
        if begun < self.next.get() {
            return false;
        }
        let mut now = (0, 0);
        self.directories.iter().for_each(|directory| add(directory, &mut now));
        let pause = INTERVAL.max(begun.elapsed().saturating_mul(SHARE));
        self.next.set(Instant::now() + pause);
        self.seen.replace(now) != now
    }
}

/// Adds the number of entries and the sizes of files. Unreadable directories count as empty.
fn add(directory: &Path, sum: &mut (u64, u64)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        sum.0 += 1;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => add(&entry.path(), sum),
            Ok(metadata) => sum.1 += metadata.len(),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;
    use std::fs;
    use std::time::Instant;

    #[test]
    fn new_files_and_more_bytes_are_growth() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let growth = Growth::new([one.path(), other.path()]);
        let look = || {
            growth.next.set(Instant::now());
            growth.has_grown()
        };
        assert!(!look());
        fs::create_dir(other.path().join("layers")).unwrap();
        assert!(look() && !look());
        fs::write(other.path().join("layers/1"), "a").unwrap();
        assert!(look() && !look());
        fs::write(other.path().join("layers/1"), "ab").unwrap();
        assert!(look());
        fs::remove_file(other.path().join("layers/1")).unwrap();
        assert!(look() && !look());
        // It is too early for the next scan.
        fs::write(one.path().join("image"), "").unwrap();
        assert!(!growth.has_grown());
    }
}
