//! Whether a runtime that pulls an image makes progress: whether the files that it writes change.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The shortest time between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(1);
/// The share of the time that the looks may take: one part of this number.
const SHARE: u32 = 50;

/// The files of a pull.
#[derive(Debug)]
pub(super) struct Growth {
    directories: [PathBuf; 2],
    /// The number of files and their sizes, when they were looked at last.
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

    /// Whether the files are known to have changed since the last look. Most calls do not look.
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

/// Adds the number of files and their sizes. What cannot be read does not count.
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
        // The next look is later.
        fs::write(one.path().join("image"), "").unwrap();
        assert!(!growth.has_grown());
    }
}
